import assert from "node:assert/strict"
import { readFileSync } from "node:fs"

const definitions = new Map(
  readFileSync(new URL("../../test/rfc9420-structs.txt", import.meta.url), "utf8")
    .split("\n")
    .flatMap((line) => {
      const match = /^struct \{ (.*) \} (\w+);$/.exec(line)
      return match ? [[match[2]!, match[1]!] as const] : []
    }),
)

interface Open {
  /** The struct whose fields are printed, or the type of a vector's entries. */
  readonly type: string
  readonly kind: "struct" | "vector" | "contents"
  readonly fields: string[]
}

/** Fails unless the lines, printed without a limit of their width, have the fields of RFC 9420's structs in its order. */
export function assertFieldsOfRfc(lines: readonly string[]): { readonly structs: ReadonlySet<string> } {
  const structs = new Set<string>()
  const stack: Open[] = []
  for (const line of lines) {
    const text = line.trim()
    if (text.startsWith("//")) continue
    if (text === "};") {
      const { kind, type, fields } = stack.pop()!
      if (kind !== "struct") continue
      structs.add(type)
      assert.match(fields.join(" "), sequences(type), `the fields of ${type}`)
      continue
    }
    const around = stack.at(-1)
    const opens = /\{(?: {2}\/\/ \d+ entr(?:y|ies))?$/.test(text)
    const [, bare] = /^(\w+) = \{$/.exec(text) ?? []
    const [, type, name] = /^([\w<>]+) (\w+)(?:<\d+>|\[\d+\])?(?: = |;| \()/.exec(text) ?? []
    if (around?.kind === "vector") {
      assert.match(text, /^\[\d+(?:\.\.\d+)?\](?: = \{|; {2}\/\/ absent|<\d+> = )/)
      if (opens) stack.push({ type: around.type, kind: "struct", fields: [] })
      continue
    }
    assert(bare ?? name, line)
    around?.fields.push(bare ?? name!)
    if (!opens) continue
    const inner = bare ?? type!.replace(/^optional<(\w+)>$/, "$1")
    const kind = text.includes("  // ") ? "vector" : inner === "opaque" ? "contents" : "struct"
    stack.push({ type: inner, kind, fields: [] })
  }
  assert.deepEqual(stack, [])
  return { structs }
}

/** Which names the fields of a struct may have: one sequence for each case of a `select`. */
function sequences(type: string): RegExp {
  const definition = definitions.get(type)
  assert(definition, `${type} is a struct of RFC 9420`)
  const names = (fields: string) =>
    fields
      .split(";")
      .map((field) => field.trim())
      .filter((field) => field !== "" && field !== "struct{}")
      .map((field) => /(\w+)(?:<V>|\[\d+\])?$/.exec(field)![1]!)
      .join(" ")
  const pattern = definition.replace(/select \([^)]*\) \{ (.*?) \};/g, (_, cases: string) => {
    const bodies = cases.split(/case \w+:/).slice(1)
    return `(?:${bodies.map((body) => `@${names(body)}`).join("|")});`
  })
  const parts = pattern
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part !== "")
  const joined = parts.map((part) => (part.startsWith("(?:") ? part.replaceAll("@", "") : names(part)))
  return new RegExp(`^${joined.map((part) => (part.startsWith("(?:") ? `(?: ?${part})` : ` ?${part}`)).join("")}$`)
}
