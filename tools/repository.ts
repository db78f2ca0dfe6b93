import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"

/** The repository's root, seen from the compiled tools. */
export const root = fileURLToPath(new URL("../../", import.meta.url))

const generated = new Set(["node_modules", "dist", ".git", "output"])

/** The repository's own files as paths from its root, with `/`. What is built or installed is left out. */
export function files(folder = "."): string[] {
  const found: string[] = []
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !generated.has(entry.name)) found.push(...files(path))
    else if (entry.isFile()) found.push(path.split("\\").join("/"))
  }
  return found.sort()
}

export function read(path: string): string {
  return readFileSync(join(root, path), "utf8")
}

export interface Workspace {
  /** Without the scope: `mls`. */
  readonly name: string
  /** From the root: `packages/mls`. */
  readonly folder: string
  readonly manifest: Manifest
}

interface Manifest {
  readonly name: string
  readonly version: string
  /** Never published. */
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** The workspaces of this repository, or of another one with its root at `from`. */
export function workspaces(from = root): Workspace[] {
  const patterns: readonly string[] = JSON.parse(readFileSync(join(from, "package.json"), "utf8")).workspaces
  return patterns
    .flatMap((pattern) => {
      const folder = pattern.replace(/\/\*$/, "")
      return folder === pattern ? [folder] : readdirSync(join(from, folder)).map((name) => `${folder}/${name}`)
    })
    .filter((folder) => existsSync(join(from, folder, "package.json")))
    .map((folder) => {
      const manifest: Manifest = JSON.parse(readFileSync(join(from, folder, "package.json"), "utf8"))
      return { name: manifest.name.replace(/^@conclave\//, ""), folder, manifest }
    })
}

/** The packages that are published. */
export function publicPackages(from = root): Workspace[] {
  return workspaces(from).filter(({ folder, manifest }) => folder.startsWith("packages/") && !manifest.private)
}

/** The compiled tests of a folder whose sources are still there: the compiler leaves behind what was deleted. */
export function compiledTests(folder: string, from = root): string[] {
  const dist = join(from, folder, "dist")
  if (!existsSync(dist)) return []
  return readdirSync(dist, { recursive: true, encoding: "utf8" })
    .map((file) => file.split("\\").join("/"))
    .filter((file) => file.endsWith(".test.js"))
    .filter((file) => existsSync(join(from, folder, file.replace(/\.js$/, ".ts"))))
    .map((file) => `${folder}/dist/${file}`)
    .sort()
}

export function fromRoot(path: string): string {
  return relative(root, path).split("\\").join("/")
}
