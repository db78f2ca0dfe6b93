import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { SourceMap } from "node:module"
import { join } from "node:path"
import { type Mutant, mutantsOf } from "./mutants.js"
import { compiledTests, publicPackages, type Workspace, workspaces } from "./repository.js"

export interface Selection {
  /** Names of packages and parts of paths; everything when there are none. */
  readonly names: readonly string[]
  /** Only files that have changed since this commit, committed or not. */
  readonly since?: string | undefined
}

/** A mutant, and where it stands. */
export interface PlacedMutant extends Mutant {
  /** The source, from the root: `packages/auth/src/service.ts`. */
  readonly file: string
  /** What is compiled from it, from the root. */
  readonly compiled: string
  /** In the source if there is a source map, else in the compiled file. */
  readonly line: number
  /** That line. */
  readonly text: string
}

/** The selected sources of all packages (`src`), as paths from the root. @throws {Error} for an unknown name. */
export function selectedSources(root: string, { names, since }: Selection): string[] {
  const packages = publicPackages(root)
  const all = packages.flatMap(({ folder }) => sourcesOf(root, `${folder}/src`))
  const isNamed = (file: string, name: string) =>
    packages.some((it) => it.name === name) ? file.startsWith(`${folderOf(packages, name)}/`) : file.includes(name)
  const unknown = names.find((name) => !all.some((file) => isNamed(file, name)))
  if (unknown !== undefined) throw new Error(`no source under packages/*/src belongs to "${unknown}"`)
  const changed = since === undefined ? undefined : new Set(changedSince(root, since))
  return all
    .filter((file) => names.length === 0 || names.some((name) => isNamed(file, name)))
    .filter((file) => changed === undefined || changed.has(file))
}

/** The compiled file of a source; undefined where the source is compiled into a bundle, or not at all. */
export function compiledOf(root: string, source: string): string | undefined {
  const compiled = source.replace(/^(packages\/[^/]+)\/src\//, "$1/dist/src/").replace(/\.tsx?$/, ".js")
  return existsSync(join(root, compiled)) ? compiled : undefined
}

export function placedMutants(root: string, file: string, compiled: string): PlacedMutant[] {
  const code = readFileSync(join(root, compiled), "utf8")
  const locate = locator(root, { file, compiled, code })
  return mutantsOf(code).map((mutant) => ({ ...mutant, file, compiled, ...locate(mutant.start) }))
}

/** The compiled tests of the packages that these files belong to, and of all that depend on them. */
export function testsFor(root: string, sources: readonly string[], browser: boolean): string[] {
  const all = workspaces(root)
  const reached = new Set(all.filter(({ folder }) => sources.some((file) => file.startsWith(`${folder}/`))))
  for (let before = -1; before < reached.size; ) {
    before = reached.size
    const names = [...reached].map(({ manifest }) => manifest.name)
    for (const it of all) if (names.some((name) => name in dependenciesOf(it))) reached.add(it)
  }
  const folders = all.filter((it) => reached.has(it)).map(({ folder }) => folder)
  return [
    ...folders.flatMap((folder) => compiledTests(folder, root)),
    ...(browser ? folders.flatMap((folder) => browserTests(root, folder)) : []),
  ]
}

/** The tests of a page are compiled beside their sources: `test/dist/test/page.test.js`. */
function browserTests(root: string, folder: string): string[] {
  const compiled = join(root, folder, "test/dist/test")
  if (!existsSync(compiled)) return []
  const names = readdirSync(compiled).filter((name) => name.endsWith(".test.js"))
  return names.map((name) => `${folder}/test/dist/test/${name}`)
}

function dependenciesOf({ manifest }: Workspace): Readonly<Record<string, string>> {
  return { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies }
}

function folderOf(packages: readonly Workspace[], name: string): string {
  return packages.find((it) => it.name === name)!.folder
}

function sourcesOf(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file.split("\\").join("/")}`)
    .filter((file) => /\.tsx?$/.test(file) && !file.endsWith(".d.ts"))
    .sort()
}

function changedSince(root: string, commit: string): string[] {
  const git = (...options: string[]) =>
    execFileSync("git", options, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split("\n")
  let id: string | undefined
  try {
    // What is not a commit must not be read as an option.
    ;[id] = git("rev-parse", "--verify", "--end-of-options", `${commit}^{commit}`)
  } catch {
    throw new Error(`"${commit}" is not a commit of this repository`)
  }
  return [...git("diff", "--name-only", "--no-renames", id!), ...git("ls-files", "--others", "--exclude-standard")]
}

interface CompiledFile {
  readonly file: string
  readonly compiled: string
  readonly code: string
}

/** Finds the line of an offset in the compiled code. */
function locator(
  root: string,
  { file, compiled, code }: CompiledFile,
): (offset: number) => Pick<PlacedMutant, "line" | "text"> {
  const lines = code.split("\n")
  const mapPath = join(root, `${compiled}.map`)
  const map = existsSync(mapPath) ? new SourceMap(JSON.parse(readFileSync(mapPath, "utf8"))) : undefined
  const sourceLines = map && readFileSync(join(root, file), "utf8").split("\n")
  return (offset) => {
    const before = code.slice(0, offset).split("\n")
    const origin = map?.findEntry(before.length - 1, before.at(-1)!.length)
    if (sourceLines && origin && "originalLine" in origin)
      return { line: origin.originalLine + 1, text: (sourceLines[origin.originalLine] ?? "").trim() }
    return { line: before.length, text: lines[before.length - 1]!.trim() }
  }
}
