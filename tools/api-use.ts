import { type Api, type Declaration, type Entry, keyOf } from "./api.js"
import { resolveRelative } from "./imports.js"
import { field, list, type Node, nameOf, parse, walk } from "./syntax.js"

/** A source of a workspace, or of the tools. */
export interface Source {
  /** The package's name with its scope. */
  readonly of: string
  readonly file: string
  readonly text: string
}

/** Names that are imported, by specifier; `*` where a module is taken as a whole. */
export type Used = ReadonlyMap<string, ReadonlySet<string>>

const WHOLE = "*"

/**
 * What the sources import from the entries of packages, by any form of import. A package's own `src` does not count; its
 * tests do, by the path of an entry's module as well as by its name.
 */
export function usedNames(sources: readonly Source[], entries: readonly Entry[]): Used {
  const specifiers = new Set(entries.map(({ specifier }) => specifier))
  const byModule = new Map(entries.map(({ specifier, file }) => [sourceOf(file), specifier]))
  const used = new Map<string, Set<string>>()
  for (const { of, file, text } of sources) {
    const isWithin = file.includes("/src/")
    for (const [from, name] of importedNames(parse(text, file.endsWith(".tsx") ? "tsx" : "ts"))) {
      const isRelative = from.startsWith(".")
      const specifier = isRelative ? byModule.get(resolveRelative(file, from)) : from
      if (specifier === undefined || !specifiers.has(specifier)) continue
      const isOwn = isRelative || specifier === of || specifier.startsWith(`${of}/`)
      if (isOwn && isWithin) continue
      used.set(specifier, (used.get(specifier) ?? new Set()).add(name))
    }
  }
  return used
}

const sourceOf = (file: string): string => file.replace("/dist/src/", "/src/").replace(/\.d\.ts$/, ".ts")

/**
 * Exported names that no user imports, and that no declaration mentions that is imported or mentioned so:
 * `@conclave/mls/wire Node`. What an entry passes on from another as a whole is asked for there, by either name.
 */
export function unusedExports(entries: readonly Entry[], api: Api, used: Used): string[] {
  const exported = entries.map((entry) => ({ ...entry, names: api.exportsOf(entry.file) }))
  const imported = exported.flatMap(({ specifier, file, names }) => {
    const passedOn = api.passedOn(file)
    const mine = used.get(specifier) ?? new Set()
    return [...names]
      .filter(([name]) => mine.has(name) || mine.has(WHOLE))
      .map(([name, declaration]) => ({ specifier, name, declaration, isPassedOn: passedOn.has(name) }))
  })
  const direct = new Set(imported.map(({ specifier, name }) => `${specifier} ${name}`))
  const passed = new Set(imported.filter(({ isPassedOn }) => isPassedOn).map(({ declaration }) => keyOf(declaration)))
  const mentioned = new Set<string>()
  const queue: Declaration[] = imported.map(({ declaration }) => declaration)
  for (const declaration of queue) {
    for (const one of api.mentionedBy(declaration)) {
      if (mentioned.has(keyOf(one))) continue
      mentioned.add(keyOf(one))
      queue.push(one)
    }
  }
  return exported.flatMap(({ specifier, file, names }) => {
    const passedOn = api.passedOn(file)
    return [...names]
      .filter(([name, declaration]) => {
        const key = keyOf(declaration)
        return !passedOn.has(name) && !direct.has(`${specifier} ${name}`) && !passed.has(key) && !mentioned.has(key)
      })
      .map(([name]) => `${specifier} ${name}`)
  })
}

function* importedNames(program: Node): Generator<readonly [specifier: string, name: string]> {
  const found: (readonly [string, string])[] = []
  const namespaces = new Map<string, string>()
  walk(program, (node, ancestors) => {
    const from = field(node, "source")?.value
    if (typeof from !== "string") return
    if (node.type === "ImportDeclaration") {
      for (const specifier of list(node, "specifiers")) {
        if (specifier.type === "ImportSpecifier") found.push([from, nameOf(field(specifier, "imported"))])
        else namespaces.set(nameOf(field(specifier, "local")), from)
      }
    } else if (node.type === "ExportNamedDeclaration") {
      for (const specifier of list(node, "specifiers")) found.push([from, nameOf(field(specifier, "local"))])
    } else if (node.type === "ExportAllDeclaration") found.push([from, WHOLE])
    else if (node.type === "ImportExpression") for (const name of taken(ancestors)) found.push([from, name])
    else if (node.type === "TSImportType") found.push([from, leftmost(field(node, "qualifier")) || WHOLE])
  })
  yield* found
  for (const [local, from] of namespaces) for (const name of membersOf(local, program)) yield [from, name]
}

/** What is taken of `await import("…")`: the names of a pattern or of a member, or everything. */
function taken([awaited, around]: readonly Node[]): string[] {
  if (awaited?.type !== "AwaitExpression" || around === undefined) return [WHOLE]
  if (around.type === "MemberExpression" && !around.computed) return [nameOf(field(around, "property"))]
  const pattern = around.type === "VariableDeclarator" ? field(around, "id") : undefined
  if (pattern?.type !== "ObjectPattern") return [WHOLE]
  return list(pattern, "properties").map((it) => (it.type === "Property" ? nameOf(field(it, "key")) : WHOLE))
}

/** The members of a namespace that are named, or everything where it is used in another way. */
function membersOf(local: string, program: Node): Set<string> {
  const names = new Set<string>()
  walk(program, (node, [parent]) => {
    if (node.type !== "Identifier" || node.name !== local || parent === undefined) return
    if (parent.type === "ImportNamespaceSpecifier") return
    if (parent.type === "MemberExpression" && field(parent, "object") === node && !parent.computed) {
      names.add(nameOf(field(parent, "property")))
    } else if (parent.type === "TSQualifiedName" && field(parent, "left") === node) {
      names.add(nameOf(field(parent, "right")))
    } else names.add(WHOLE)
  })
  return names
}

function leftmost(node: Node | undefined): string {
  return node?.type === "TSQualifiedName" ? leftmost(field(node, "left")) : nameOf(node)
}
