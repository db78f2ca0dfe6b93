import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { resolveRelative, withoutComments } from "./imports.js"
import { root, type Workspace } from "./repository.js"
import { field, list, type Node, nameOf, parse, walk } from "./syntax.js"

/** A name as a module declares it: `text` is what the compiler prints of it, without comments; several are overloads. */
export interface Declaration {
  /** The `.d.ts` file, from the root. */
  readonly file: string
  readonly name: string
  readonly texts: readonly string[]
  readonly nodes: readonly Node[]
}

/** An entry of a package: `@conclave/mls/wire`. */
export interface Entry {
  readonly specifier: string
  /** Without the scope, for a file's name: `mls-wire`. */
  readonly slug: string
  /** Its `.d.ts` file, from the root. */
  readonly file: string
}

const scope = "@conclave/"

/** The entries of packages that are modules, in the order of their names. */
export function entriesOf(packages: readonly Workspace[]): Entry[] {
  return packages
    .flatMap(({ folder, manifest }) =>
      Object.entries(manifest.exports ?? {})
        .filter(([, target]) => target.endsWith(".js"))
        .map(([key, target]) => {
          const specifier = join(manifest.name, key)
          const slug = specifier.slice(scope.length).replaceAll("/", "-")
          return { specifier, slug, file: join(folder, target).replace(/\.js$/, ".d.ts") }
        }),
    )
    .sort((a, b) => (a.slug < b.slug ? -1 : 1))
}

/** What the compiler has printed of the packages: which names there are, and what each mentions. */
export class Api {
  readonly #entries: ReadonlyMap<string, string>
  readonly #modules = new Map<string, Module>()
  readonly #exports = new Map<string, ReadonlyMap<string, Declaration>>()
  readonly #read: (file: string) => string

  /** `read` returns the text of a `.d.ts` file, and throws where there is none. */
  constructor(entries: readonly Entry[], read = readDeclarations) {
    this.#entries = new Map(entries.map(({ specifier, file }) => [specifier, file]))
    this.#read = read
  }

  /** The names that a module exports, in order, each with its declaration. */
  exportsOf(file: string): ReadonlyMap<string, Declaration> {
    let exports = this.#exports.get(file)
    if (exports === undefined) {
      exports = this.#findExports(file)
      this.#exports.set(file, exports)
    }
    return exports
  }

  #findExports(file: string): Map<string, Declaration> {
    const module = this.#module(file)
    const found = new Map<string, Declaration>()
    for (const [name, target] of module.exports) {
      const resolved = this.#resolve(file, target)
      const declaration = resolved && target.typeOnly ? typesOf(resolved) : resolved
      if (declaration === undefined) throw new Error(`${file} exports ${name}, which is declared nowhere`)
      found.set(name, declaration)
    }
    for (const specifier of module.stars) {
      const other = this.#target(file, specifier)
      if (other === undefined) continue
      for (const [name, declaration] of this.exportsOf(other)) if (!found.has(name)) found.set(name, declaration)
    }
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** The names that a module passes on from entries as a whole, by `export *`. */
  passedOn(file: string): Set<string> {
    const others = this.#module(file).stars.map((specifier) => this.#target(file, specifier))
    const entries = others.filter((other): other is string => [...this.#entries.values()].includes(other ?? ""))
    return new Set(entries.flatMap((entry) => [...this.exportsOf(entry).keys()]))
  }

  /** The declarations of the packages that a declaration mentions as types. */
  mentionedBy({ file, nodes }: Declaration): Declaration[] {
    const mentioned = new Map<string, Declaration>()
    for (const node of nodes) {
      walk(node, (it) => {
        const target = mentionOf(it)
        const found = target && this.#resolve(file, target)
        if (found) mentioned.set(keyOf(found), found)
      })
    }
    return [...mentioned.values()]
  }

  #resolve(file: string, target: Target): Declaration | undefined {
    const module = this.#module(file)
    if (target.from === undefined) {
      const nodes = module.declared.get(target.name)
      if (nodes === undefined) {
        const imported = module.imported.get(target.name)
        return imported && this.#resolve(file, imported)
      }
      return { file, name: target.name, nodes, texts: nodes.map((node) => module.textOf(node)) }
    }
    const other = this.#target(file, target.from)
    if (other === undefined) return undefined
    return this.exportsOf(other).get(target.name)
  }

  /** The module that a specifier names, if it is one of the packages. */
  #target(file: string, specifier: string): string | undefined {
    if (specifier.startsWith(".")) return resolveRelative(file, specifier).replace(/\.tsx?$/, ".d.ts")
    return this.#entries.get(specifier)
  }

  #module(file: string): Module {
    let module = this.#modules.get(file)
    if (module === undefined) {
      module = new Module(this.#read(file), file)
      this.#modules.set(file, module)
    }
    return module
  }
}

export const keyOf = ({ file, name }: Declaration): string => `${file} ${name}`

/** A name in this module, or in the one that `from` names. */
interface Target {
  readonly name: string
  readonly from?: string
  /** Exported as a type: of a constant and a type with one name, the type. */
  readonly typeOnly?: boolean
}

/** One `.d.ts` file. */
class Module {
  readonly declared = new Map<string, Node[]>()
  readonly imported = new Map<string, Target>()
  readonly exports = new Map<string, Target>()
  readonly stars: string[] = []
  readonly #source: string

  constructor(source: string, file: string) {
    this.#source = withoutComments(source)
    for (const statement of list(parse(this.#source, "dts"), "body")) this.#read(statement, file)
  }

  /** One declaration as the compiler prints it, on lines of their own. */
  textOf({ start, end }: Node): string {
    return this.#source
      .slice(start, end)
      .split("\n")
      .map((line) => line.trimEnd())
      .filter((line) => line !== "")
      .join("\n")
      .replace(/^declare /, "")
  }

  #read(statement: Node, file: string): void {
    const from = field(statement, "source")?.value as string | undefined
    if (statement.type === "ImportDeclaration") {
      for (const specifier of list(statement, "specifiers")) {
        if (specifier.type !== "ImportSpecifier") continue
        this.imported.set(named(specifier, "local"), { name: named(specifier, "imported"), from: from! })
      }
    } else if (statement.type === "ExportAllDeclaration") {
      if (field(statement, "exported")) throw new Error(`${file}: a namespace is exported`)
      this.stars.push(from!)
    } else if (statement.type === "ExportNamedDeclaration") {
      const declaration = field(statement, "declaration")
      if (declaration) for (const name of this.#declare(declaration)) this.exports.set(name, { name })
      for (const specifier of list(statement, "specifiers")) {
        const name = named(specifier, "local")
        const typeOnly = statement.exportKind === "type" || specifier.exportKind === "type"
        this.exports.set(named(specifier, "exported"), { name, typeOnly, ...(from !== undefined && { from }) })
      }
    } else this.#declare(statement)
  }

  #declare(node: Node): string[] {
    const names = /VariableDeclaration/.test(node.type)
      ? list(node, "declarations").map((it) => nameOf(field(it, "id")))
      : [nameOf(field(node, "id"))].filter((name) => name !== "")
    for (const name of names) this.declared.set(name, [...(this.declared.get(name) ?? []), node])
    return names
  }
}

/** The types among what a name declares, where there are any. */
function typesOf(declaration: Declaration): Declaration {
  const isType = declaration.nodes.map(({ type }) => /^(TS(Interface|TypeAlias|Enum)|Class)/.test(type))
  if (!isType.includes(true)) return declaration
  const { nodes, texts } = declaration
  return { ...declaration, nodes: nodes.filter((_, i) => isType[i]), texts: texts.filter((_, i) => isType[i]) }
}

function named(node: Node, name: string): string {
  const it = field(node, name)
  return it?.type === "Literal" ? String(it.value) : nameOf(it)
}

/** What a node of a type mentions: the first name of `A.B`, the name that `import("./c.js").D` takes. */
function mentionOf(node: Node): Target | undefined {
  const named: Readonly<Record<string, string>> = {
    TSTypeReference: "typeName",
    TSTypeQuery: "exprName",
    TSInterfaceHeritage: "expression",
    TSClassImplements: "expression",
    ClassDeclaration: "superClass",
  }
  if (node.type === "TSImportType") {
    const name = firstName(field(node, "qualifier"))
    return name === "" ? undefined : { name, from: field(node, "source")!.value as string }
  }
  const place = named[node.type]
  const name = place === undefined ? "" : firstName(field(node, place))
  return name === "" ? undefined : { name }
}

function firstName(node: Node | undefined): string {
  if (node?.type === "TSQualifiedName") return firstName(field(node, "left"))
  if (node?.type === "MemberExpression") return firstName(field(node, "object"))
  return node?.type === "Identifier" ? nameOf(node) : ""
}

function readDeclarations(file: string): string {
  const path = join(root, file)
  if (!existsSync(path)) throw new Error(`there is no ${file}: run \`npm run build:code\` first`)
  return readFileSync(path, "utf8")
}
