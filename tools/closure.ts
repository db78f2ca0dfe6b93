/** What `npm install` of a package brings along, from the lock file and the workspaces' own manifests. */

export interface Dependencies {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

/** An entry of `packages` in a lock file; of a workspace's link, `resolved` is the workspace's folder. */
export interface Locked extends Dependencies {
  readonly link?: boolean
  readonly resolved?: string
}

export interface Closure {
  /** Names of what is always installed, the package itself included, in order. */
  readonly required: readonly string[]
  /** Names of what only optional dependencies bring, on any platform, in order. */
  readonly optional: readonly string[]
}

/**
 * The closure of the package in `folder`. npm installs peers too, but for those that are marked optional.
 *
 * @throws {Error} when something required is not in the lock file.
 */
export function closureOf(lock: Readonly<Record<string, Locked>>, folder: string, name: string): Closure {
  const required = new Map([[folder, name]])
  const optional = new Map<string, string>()
  const visit = (place: string, into: Map<string, string>) => {
    for (const { name, isOptional } of wantedBy(lock[place]!)) {
      const found = find(lock, place, name)
      if (found === undefined && !isOptional) throw new Error(`the lock file has no ${name} for ${place}`)
      if (found === undefined || required.has(found)) continue
      const target = isOptional ? optional : into
      if (target.has(found)) continue
      target.set(found, name)
      visit(found, target)
    }
  }
  visit(folder, required)
  const names = (found: ReadonlyMap<string, string>) => [...new Set(found.values())].sort()
  const kept = names(required)
  return { required: kept, optional: names(optional).filter((it) => !kept.includes(it)) }
}

function wantedBy(manifest: Dependencies): { name: string; isOptional: boolean }[] {
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifest
  const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional)
  return [
    // A lock file repeats an optional dependency among the others.
    ...[...Object.keys(dependencies), ...peers]
      .filter((name) => !(name in optionalDependencies))
      .map((name) => ({ name, isOptional: false })),
    ...Object.keys(optionalDependencies).map((name) => ({ name, isOptional: true })),
  ]
}

/** Where a package finds another: in its own `node_modules`, or in those of the folders above it. */
function find(lock: Readonly<Record<string, Locked>>, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.replace(/\/?[^/]+$/, "")) {
    const place = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`
    const locked = lock[place]
    if (locked !== undefined) return locked.link ? locked.resolved : place
    if (folder === "") return undefined
  }
}
