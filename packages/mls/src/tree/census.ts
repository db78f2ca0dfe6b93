import type { Capabilities, Credential, LeafNode } from "../wire.js"

export const credentialTypeNumber = (credential: Credential): number =>
  credential.type === "registered" ? credential.number : credential.type === "basic" ? 1 : 2

/**
 * What the members of a tree support and use, counted, so that a question about all of them is answered without asking
 * each (RFC 9420 §7.3, §11.1, §12.2).
 */
export class Census {
  members: number
  readonly #supported: Readonly<Record<CapabilityKind, Tally>>
  readonly #credentialsInUse: Tally

  constructor(from?: Census) {
    this.members = from?.members ?? 0
    const tally = (of: (census: Census) => Tally) => (from === undefined ? new Tally() : of(from).draft())
    this.#supported = {
      versions: tally((it) => it.#supported.versions),
      cipherSuites: tally((it) => it.#supported.cipherSuites),
      extensions: tally((it) => it.#supported.extensions),
      proposals: tally((it) => it.#supported.proposals),
      credentials: tally((it) => it.#supported.credentials),
    }
    this.#credentialsInUse = tally((it) => it.#credentialsInUse)
  }

  draft(): Census {
    return new Census(this)
  }

  /** See `KeyIndex.adopt`. */
  adopt(): void {
    for (const kind of capabilityKinds) this.#supported[kind].adopt()
    this.#credentialsInUse.adopt()
  }

  /** `times`: how many leaves there are that are {@link countsAlike}. */
  add(leaf: LeafNode, times = 1): void {
    this.#change(leaf, times)
  }

  remove(leaf: LeafNode): void {
    this.#change(leaf, -1)
  }

  /** Whether every member lists the value. */
  allSupport(kind: CapabilityKind, value: number): boolean {
    return this.#supported[kind].count(value) === this.members
  }

  get credentialsInUse(): Iterable<number> {
    return this.#credentialsInUse.values()
  }

  #change(leaf: LeafNode, by: number): void {
    this.members += by
    this.#credentialsInUse.change(credentialTypeNumber(leaf.credential), by)
    for (const kind of capabilityKinds) changeDistinct(this.#supported[kind], leaf.capabilities[kind], by)
  }
}

/**
 * Whether two leaves have the same lists and type of credential. The decoder gives equal lists out as one array, so that this is quickly
 * seen; of equal lists that are two arrays it says no.
 */
export function countsAlike(a: LeafNode, b: LeafNode): boolean {
  const [own, other] = [a.capabilities, b.capabilities]
  return (
    own.versions === other.versions &&
    own.cipherSuites === other.cipherSuites &&
    own.extensions === other.extensions &&
    own.proposals === other.proposals &&
    own.credentials === other.credentials &&
    credentialTypeNumber(a.credential) === credentialTypeNumber(b.credential)
  )
}

/** How often each value was counted. A draft keeps only its differences until it is adopted, like a `KeyIndex`. */
class Tally {
  readonly #base: Map<number, number>
  #changes: Map<number, number> | undefined

  constructor(base: Map<number, number> = new Map()) {
    this.#base = base
  }

  draft(): Tally {
    this.adopt()
    return new Tally(this.#base)
  }

  count(value: number): number {
    return (this.#base.get(value) ?? 0) + (this.#changes?.get(value) ?? 0)
  }

  *values(): Generator<number> {
    for (const value of this.#base.keys()) if (this.count(value) > 0) yield value
    for (const value of this.#changes?.keys() ?? []) if (!this.#base.has(value)) yield value
  }

  change(value: number, by: number): void {
    this.#changes ??= new Map()
    add(this.#changes, value, by)
  }

  adopt(): void {
    for (const [value, change] of this.#changes ?? []) add(this.#base, value, change)
    this.#changes = undefined
  }
}

/** A value that is listed twice counts once. Leaves are counted before anybody has looked at how long their lists are. */
function changeDistinct(tally: Tally, values: readonly number[], by: number): void {
  if (values.length > SHORT_LIST_MAX) {
    for (const value of new Set(values)) tally.change(value, by)
    return
  }
  for (let i = 0; i < values.length; i++) if (values.indexOf(values[i]!) === i) tally.change(values[i]!, by)
}

const SHORT_LIST_MAX = 8

export type CapabilityKind = keyof Capabilities
export const capabilityKinds = ["versions", "cipherSuites", "extensions", "proposals", "credentials"] as const

function add(counts: Map<number, number>, value: number, change: number): void {
  const sum = (counts.get(value) ?? 0) + change
  if (sum === 0) counts.delete(value)
  else counts.set(value, sum)
}
