import { dirname } from "node:path"

/** An entry of `packages` in a lock file. */
interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly resolved?: string
  readonly [field: string]: unknown
}

export type Lock = Readonly<Record<string, Locked>>

/** What npm says of a package that it packed. */
export interface Packed {
  readonly name: string
  readonly version: string
  readonly filename: string
  readonly integrity: string
  readonly size: number
  readonly files: readonly { readonly path: string }[]
}

export interface Wanted {
  /** Where the packed packages are, relative to the application. */
  readonly tarballs: string
  /** Packed packages that the application names. */
  readonly own: readonly string[]
  /** What it names from a registry. */
  readonly others: readonly string[]
}

/**
 * The manifest and the lock file of an application that installs packed packages. Everything from a registry is taken from the repository's own lock file, so that npm finds in its
 * cache what it has installed there. Optional packages for other machines are listed as well, as npm does.
 */
export function lockOf(lock: Lock, packed: readonly Packed[], { tarballs, own, others }: Wanted) {
  const entries = new Map<string, Locked>()
  const packages = new Map(packed.map((it) => [it.name, it]))

  /** `place` is where a package is in the repository; it is in the same place here, but for the workspaces. */
  const add = (place: string) => {
    const { dev: _, devOptional: __, peer: ___, ...entry } = lock[place]!
    const [workspace, nested] = workspaceOf(place)
    const here = workspace === undefined ? place : `node_modules/${lock[workspace]!.name}${nested}`
    if (entries.has(here)) return
    const tarball = nested === "" ? packages.get(lock[place]!.name as string) : undefined
    if (workspace !== undefined && nested === "" && tarball === undefined) throw new Error(`${place} is not packed`)
    const { devDependencies: ____, ...rest } = entry
    entries.set(here, {
      ...rest,
      ...(tarball && { resolved: `file:${tarballs}/${tarball.filename}`, integrity: tarball.integrity }),
    })
    for (const name of namesOf(entry)) {
      const found = find(lock, place, name)
      if (found !== undefined) add(found)
    }
  }

  const specifiers: Record<string, string> = {}
  for (const name of [...own, ...others]) {
    const place = find(lock, "", name)
    if (place === undefined) throw new Error(`the lock file has no ${name}`)
    const tarball = packages.get(name)
    specifiers[name] = tarball === undefined ? lock[place]!.version! : `file:${tarballs}/${tarball.filename}`
    add(place)
  }
  const manifest = { name: "application", version: "1.0.0", private: true, type: "module", dependencies: specifiers }
  const entire = {
    "": { name: manifest.name, version: "1.0.0", dependencies: specifiers },
    ...Object.fromEntries(entries),
  }
  return {
    manifest,
    lock: { name: manifest.name, version: "1.0.0", lockfileVersion: 3, requires: true, packages: entire },
  }
}

/** `packages/a` and what follows it; nothing for what is in the root's `node_modules`. */
function workspaceOf(place: string): [string | undefined, string] {
  if (place.startsWith("node_modules/")) return [undefined, place]
  const [, workspace, nested = ""] = /^(.*?)(\/node_modules\/.*)?$/.exec(place)!
  return [workspace, nested]
}

function namesOf(entry: Locked): string[] {
  return Object.keys({
    ...(entry.dependencies as object | undefined),
    ...(entry.optionalDependencies as object | undefined),
  })
}

function find(lock: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    if (folder === ".") folder = ""
    const place = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`
    const locked = lock[place]
    if (locked !== undefined) return locked.link ? locked.resolved : place
    if (folder === "") return undefined
  }
}
