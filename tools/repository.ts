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
  readonly exports?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

export function workspaces(): Workspace[] {
  const patterns: readonly string[] = JSON.parse(read("package.json")).workspaces
  return patterns
    .flatMap((pattern) => {
      const folder = pattern.replace(/\/\*$/, "")
      return folder === pattern ? [folder] : readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)
    })
    .filter((folder) => existsSync(join(root, folder, "package.json")))
    .map((folder) => {
      const manifest: Manifest = JSON.parse(read(`${folder}/package.json`))
      return { name: manifest.name.replace(/^@conclave\//, ""), folder, manifest }
    })
}

export function fromRoot(path: string): string {
  return relative(root, path).split("\\").join("/")
}
