import type { Capabilities, Credential, LeafNode } from "../wire.js"

export const credentialTypeNumber = (credential: Credential): number =>
  credential.type === "registered" ? credential.number : credential.type === "basic" ? 1 : 2

/**
 * What the members of a tree support and use, counted, so that a question about all of them is answered without asking
 * each (RFC 9420 §7.3, §11.1, §12.2).
 */
export class Census {
  members = 0
  readonly #supported: Record<CapabilityKind, Map<number, number>>
  #credentialsInUse = new Map<number, number>()

  constructor() {
    this.#supported = {
      versions: new Map(),
      cipherSuites: new Map(),
      extensions: new Map(),
      proposals: new Map(),
      credentials: new Map(),
    }
  }

  draft(): Census {
    const draft = new Census()
    draft.members = this.members
    for (const kind of capabilityKinds) draft.#supported[kind] = new Map(this.#supported[kind])
    draft.#credentialsInUse = new Map(this.#credentialsInUse)
    return draft
  }

  add(leaf: LeafNode): void {
    this.#change(leaf, 1)
  }

  remove(leaf: LeafNode): void {
    this.#change(leaf, -1)
  }

  /** Whether every member lists the value. */
  allSupport(kind: CapabilityKind, value: number): boolean {
    return (this.#supported[kind].get(value) ?? 0) === this.members
  }

  get credentialsInUse(): Iterable<number> {
    return this.#credentialsInUse.keys()
  }

  #change(leaf: LeafNode, by: 1 | -1): void {
    this.members += by
    count(this.#credentialsInUse, credentialTypeNumber(leaf.credential), by)
    for (const kind of capabilityKinds) {
      for (const value of distinct(leaf.capabilities[kind])) count(this.#supported[kind], value, by)
    }
  }
}

/** A value that is listed twice counts once. Leaves are counted before anybody has looked at how long their lists are. */
function distinct(values: readonly number[]): Iterable<number> {
  const isShort = values.length <= SHORT_LIST_MAX
  return isShort ? values.filter((value, i) => values.indexOf(value) === i) : new Set(values)
}

const SHORT_LIST_MAX = 8

export type CapabilityKind = keyof Capabilities
export const capabilityKinds = ["versions", "cipherSuites", "extensions", "proposals", "credentials"] as const

function count(counts: Map<number, number>, value: number, by: 1 | -1): void {
  const sum = (counts.get(value) ?? 0) + by
  if (sum === 0) counts.delete(value)
  else counts.set(value, sum)
}
