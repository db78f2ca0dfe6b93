/** Who asks, at two widths: see `RequestContext.peer` and `RequestContext.network`. */
export interface Requester {
  readonly peer: string
  readonly network: string
}

/** How much of something is handed out at a time. */
export interface ShareLimits {
  /** To one {@link Requester.peer}. */
  readonly peer: number
  /** To one {@link Requester.network}. */
  readonly network: number
  /** To all requesters together. */
  readonly all: number
}

/** Which of the limits leaves no room. */
export type ShareLevel = keyof ShareLimits

/**
 * Counts what is held at a time (connections, streams, bytes), for each requester and for all. Memory is bounded by
 * what is held: a requester who holds nothing is forgotten.
 */
export class Share {
  readonly limits: ShareLimits
  readonly #byPeer = new Map<string, number>()
  readonly #byNetwork = new Map<string, number>()
  #all = 0

  constructor(limits: ShareLimits) {
    this.limits = limits
  }

  /**
   * Takes `amount`, or takes nothing and returns the level that has no room for it. Without a requester (a proxy that
   * many stand behind) only the limit for all counts.
   */
  take(requester: Requester | undefined, amount = 1): ShareLevel | undefined {
    const { limits } = this
    if (requester !== undefined) {
      if (this.heldBy("peer", requester) + amount > limits.peer) return "peer"
      if (this.heldBy("network", requester) + amount > limits.network) return "network"
    }
    if (this.#all + amount > limits.all) return "all"
    this.#add(requester, amount)
    return undefined
  }

  /** Returns what {@link take} took, all of it or in parts. */
  give(requester: Requester | undefined, amount = 1): void {
    this.#add(requester, -amount)
  }

  /** Held by all requesters together. */
  get held(): number {
    return this.#all
  }

  heldBy(level: Exclude<ShareLevel, "all">, requester: Requester): number {
    return (level === "peer" ? this.#byPeer : this.#byNetwork).get(requester[level]) ?? 0
  }

  #add(requester: Requester | undefined, amount: number): void {
    this.#all += amount
    if (requester === undefined) return
    addTo(this.#byPeer, requester.peer, amount)
    addTo(this.#byNetwork, requester.network, amount)
  }
}

function addTo(counts: Map<string, number>, key: string, amount: number): void {
  const count = (counts.get(key) ?? 0) + amount
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
