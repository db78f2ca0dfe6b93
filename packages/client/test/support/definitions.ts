import type { Codec } from "@conclave/codec"

/** Definitions of structs and enums, by name, of everything that `codecs` consist of. */
export function definitionsOf(codecs: readonly Codec<any>[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const seen = new Set<Codec<any>>()
  const visit = (codec: Codec<any>) => {
    if (seen.has(codec)) return
    seen.add(codec)
    const name = codec.definition && / (\w+);$/.exec(codec.definition)?.[1]
    if (name !== undefined) found.set(name, codec.definition!)
    const { shape } = codec
    if (shape?.kind === "struct") for (const it of Object.values(shape.fieldsOf({}))) visit(it)
    if (shape?.kind === "list") visit(shape.item)
    if (shape?.kind === "optional") visit(shape.inner)
    if (shape?.kind !== "union" && shape?.kind !== "select") return
    const { tag, cases } = shape.kind === "union" ? shape.select : shape
    visit(tag)
    for (const it of Object.values(cases)) {
      const parts = typeof it.read === "function" ? [it as Codec<any>] : Object.values(it as Record<string, Codec<any>>)
      for (const part of parts) visit(part)
    }
  }
  for (const codec of codecs) visit(codec)
  return found
}
