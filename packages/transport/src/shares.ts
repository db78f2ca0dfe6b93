/// <reference lib="esnext.disposable" preserve="true" />
import { type Requester, Share, type ShareLevel, type ShareLimits } from "./share.js"

/** What a listener holds for others: numbers of things, and bytes. */
export type Resource =
  /** TCP connections, of a proxy too. */
  | "connections"
  /** WebSockets, counted by who is behind the proxy. */
  | "sockets"
  | "streams"
  /** Bytes of requests that are half received or being answered. */
  | "received"
  /** Bytes of answers that a client has not read. */
  | "unsent"

/** Why something was refused or cut: a {@link Resource} that a requester, or all, had enough of; or one of the others. */
export type RefusalKind =
  | Resource
  /** A WebSocket or sealed connection took too long over a request. */
  | "slow"
  /** An answer was not read in time, or too many were not. */
  | "unread"
  /** A WebSocket carried nothing for too long. */
  | "idle"
  /** Too many pings, or other frames that ask for an answer and for no work. */
  | "control"
  /** Too many new connections in a short time. */
  | "arrivals"
  /** Too many first flights of sealed requests. */
  | "flights"
  /** A name that the service is not served under. */
  | "host"
  /** A page of another origin. */
  | "origin"
  /** Too many questions about the server's health. */
  | "health"

export interface Refusal {
  readonly kind: RefusalKind
  /** Whose limit was reached, where it was that of a {@link Resource}. */
  readonly level?: ShareLevel
  /** That limit. */
  readonly limit?: number
  readonly requester?: Requester
}

export interface SharesOptions {
  /** TCP connections and WebSockets at a time, each; default 10,000. The limits of other numbers follow from it. */
  readonly connectionsMax?: number
  readonly limits?: Partial<Record<Resource, ShareLimits>>
  /** Is told of each refusal; it is called as often as an attacker likes and must be cheap. */
  readonly onRefusal?: (refusal: Refusal) => void
}

const MEBIBYTE = 1024 * 1024

/** A requester's network gets at most a quarter of anything, and an address an eighth. */
export function shareLimits(connectionsMax = 10_000): Readonly<Record<Resource, ShareLimits>> {
  const part = (all: number) => ({ peer: Math.ceil(all / 8), network: Math.ceil(all / 4), all })
  return {
    connections: part(connectionsMax),
    sockets: part(connectionsMax),
    streams: part(4 * connectionsMax),
    received: part(128 * MEBIBYTE),
    unsent: part(128 * MEBIBYTE),
  }
}

/** What all listeners of a process hand out. Give one object to those that are to share. */
export class Shares {
  readonly limits: Readonly<Record<Resource, ShareLimits>>
  readonly #shares: Readonly<Record<Resource, Share>>
  readonly #onRefusal: (refusal: Refusal) => void

  constructor({ connectionsMax, limits, onRefusal = () => {} }: SharesOptions = {}) {
    this.limits = { ...shareLimits(connectionsMax), ...limits }
    const entries = Object.entries(this.limits).map(([name, limit]) => [name, new Share(limit)])
    this.#shares = Object.fromEntries(entries) as Record<Resource, Share>
    this.#onRefusal = onRefusal
  }

  /** Whether `amount` was taken. Where not, the refusal has been told. */
  take(resource: Resource, requester: Requester | undefined, amount = 1): boolean {
    const level = this.#shares[resource].take(requester, amount)
    if (level === undefined) return true
    const limit = this.limits[resource][level]
    this.#onRefusal({ kind: resource, level, limit, ...(requester && { requester }) })
    return false
  }

  give(resource: Resource, requester: Requester | undefined, amount = 1): void {
    this.#shares[resource].give(requester, amount)
  }

  /** Tells of a refusal for another reason than a share. */
  refused(kind: Exclude<RefusalKind, Resource>, requester: Requester | undefined): void {
    this.#onRefusal({ kind, ...(requester && { requester }) })
  }

  /** Held by all together. */
  held(resource: Resource): number {
    return this.#shares[resource].held
  }
}

/** What one connection, socket or request holds: given back together when it ends. */
export class Holding implements Disposable {
  readonly requester: Requester | undefined
  readonly #shares: Shares
  readonly #held: Partial<Record<Resource, number>> = {}
  #ended = false

  constructor(shares: Shares, requester: Requester | undefined) {
    this.#shares = shares
    this.requester = requester
  }

  /** As {@link Shares.take}; `false` after the end. */
  take(resource: Resource, amount = 1): boolean {
    if (this.#ended || !this.#shares.take(resource, this.requester, amount)) return false
    this.#held[resource] = (this.#held[resource] ?? 0) + amount
    return true
  }

  /** Gives back what was taken; after the end nothing is left to give. */
  give(resource: Resource, amount = 1): void {
    if (this.#ended) return
    this.#held[resource]! -= amount
    this.#shares.give(resource, this.requester, amount)
  }

  refused(kind: Exclude<RefusalKind, Resource>): void {
    this.#shares.refused(kind, this.requester)
  }

  [Symbol.dispose](): void {
    if (this.#ended) return
    this.#ended = true
    for (const [resource, amount] of Object.entries(this.#held)) {
      if (amount > 0) this.#shares.give(resource as Resource, this.requester, amount)
    }
  }
}

/** What a chunk of bytes costs beside its length: the objects around it. */
export const CHUNK_COST = 256

/** A client that reads `bytes` more slowly than 16 KiB a second, and `patienceMilliseconds` beside, does not read. */
export function readingTime(bytes: number, patienceMilliseconds: number): number {
  return patienceMilliseconds + (bytes / 16_384) * 1000
}
