import { dirname, join } from "node:path"

export interface Import {
  readonly specifier: string
  /** Erased by the compiler: nothing is loaded at run time. */
  readonly typeOnly: boolean
}

const names = String.raw`[\w$\s{},*]*?`
const patterns: readonly RegExp[] = [
  new RegExp(String.raw`^\s*(?<kind>import|export)\s+(?<type>type\s)?${names}\bfrom\s*"(?<specifier>[^"]+)"`, "gm"),
  /^\s*import\s*"(?<specifier>[^"]+)"/gm,
  /(?<type>typeof\s+)?\bimport\(\s*"(?<specifier>[^"]+)"/g,
  /\brequire(?:\.resolve)?\(\s*"(?<specifier>[^"]+)"/g,
]

/** What a TypeScript source imports, dynamic imports and `require` included. */
export function importsOf(source: string): Import[] {
  const code = withoutComments(source)
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map(({ groups }) => ({
      specifier: groups!.specifier!,
      typeOnly: groups!.type !== undefined,
    })),
  )
}

/** `blank` says what takes a comment's place. Strings are looked at first: one may hold what looks like a comment. */
export function withoutComments(source: string, blank: (comment: string) => string = () => " "): string {
  const string = String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|` + String.raw`\`(?:\\.|[^\`\\])*\``
  const comment = String.raw`\/\*[\s\S]*?\*\/|\/\/[^\n]*`
  return source.replace(
    new RegExp(`(${string})|${comment}`, "g"),
    (all, kept: string | undefined) => kept ?? blank(all),
  )
}

/** The source file, from the root, that a relative import of another one names. */
export function resolveRelative(from: string, specifier: string): string {
  return join(dirname(from), specifier)
    .split("\\")
    .join("/")
    .replace(/\.js$/, ".ts")
    .replace(/\.jsx$/, ".tsx")
}

/** `@conclave/mls/wire` is of `@conclave/mls`, `ws/lib` of `ws`. */
export function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")
}

/** Every way round through modules that load each other, as `a → b → a`. */
export function cycles(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (module: string, path: readonly string[]) => {
    const at = path.indexOf(module)
    if (at >= 0) found.push([...path.slice(at), module].join(" → "))
    if (at >= 0 || done.has(module)) return
    for (const next of edges.get(module) ?? []) visit(next, [...path, module])
    done.add(module)
  }
  for (const module of edges.keys()) visit(module, [])
  return found
}
