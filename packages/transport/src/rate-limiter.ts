export interface Rate {
  readonly perSecond: number
  /** What may come at once after a pause. */
  readonly burst: number
}

export interface RateLimiterOptions {
  /** Buckets kept at a time, at most; default 20,000. A bucket takes about 150 bytes and its key. */
  readonly keysMax?: number
}

/** One of the levels that {@link takeAll} takes from. */
export interface Taking {
  readonly limiter: RateLimiter
  /** `undefined` where nothing is known to count by: the level is left out. */
  readonly key: string | undefined
  /** Tokens, default 1; more than the limiter's burst are never available. */
  readonly amount?: number
  /** Who chose the key, where one requester has many: see {@link RateLimiter}. */
  readonly owner?: string | undefined
}

interface Bucket {
  tokens: number
  at: number
  readonly owner: string | undefined
}

/** The keys of one owner. */
interface Owned {
  readonly keys: Set<string>
  /** Shared by all its keys that are not in the table, until it is full again. */
  rest: Bucket | undefined
}

/** The table is searched for full buckets at most this often. */
const SWEEP_MILLISECONDS = 1000
/** An owner with fewer keys than this keeps them, however full the table is. */
const FOLDED_MIN = 64

/**
 * A token bucket for each key, in bounded memory. A bucket is forgotten only when it is full, which no caller can tell
 * from one that was never there. While the table has no room, all keys that are new share one bucket of the same rate:
 * an attacker with many keys slows newcomers down, and neither stops them nor refills anybody's bucket.
 *
 * Keys may have an owner, the requester who chose them. Then the owner with the most keys makes the room that is missing: all
 * its keys share one bucket from there on, which begins with what the emptiest of them had and lasts until it is full.
 */
export class RateLimiter {
  readonly #rate: Rate
  readonly #keysMax: number
  readonly #buckets = new Map<string, Bucket>()
  readonly #owners = new Map<string, Owned>()
  readonly #shared: Bucket
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(rate: Rate, { keysMax = 20_000 }: RateLimiterOptions = {}) {
    this.#rate = rate
    this.#keysMax = keysMax
    this.#shared = { tokens: rate.burst, at: Number.NEGATIVE_INFINITY, owner: undefined }
  }

  /** Takes `amount` tokens, or returns in how many milliseconds there will be so many. `now`: milliseconds. */
  take(key: string, now: number, amount = 1, owner?: string): number | undefined {
    const wait = this.wait(key, now, amount, owner)
    if (wait === undefined) this.#spend(key, now, amount, owner)
    return wait
  }

  /** What {@link take} would return, with nothing taken. `Infinity` for more than the burst. */
  wait(key: string, now: number, amount = 1, owner?: string): number | undefined {
    const tokens = this.#tokensOf(this.#buckets.get(key) ?? this.#newcomer(owner, now), now)
    if (tokens >= amount) return undefined
    const { perSecond, burst } = this.#rate
    return amount > burst ? Number.POSITIVE_INFINITY : Math.ceil(((amount - tokens) / perSecond) * 1000)
  }

  /** Buckets that are kept now, the shared ones left out. */
  get size(): number {
    return this.#buckets.size
  }

  #spend(key: string, now: number, amount: number, owner: string | undefined): void {
    const bucket = this.#buckets.get(key) ?? this.#newcomer(owner, now)
    if (bucket === undefined) {
      this.#buckets.set(key, { tokens: this.#rate.burst - amount, at: now, owner })
      if (owner !== undefined) this.#ownedBy(owner).keys.add(key)
    } else {
      bucket.tokens = this.#tokensOf(bucket, now) - amount
      bucket.at = now
    }
  }

  #ownedBy(owner: string): Owned {
    const owned = this.#owners.get(owner) ?? { keys: new Set(), rest: undefined }
    this.#owners.set(owner, owned)
    return owned
  }

  /** The bucket of a key that has none: `undefined` for a full one of its own. */
  #newcomer(owner: string | undefined, now: number): Bucket | undefined {
    const rest = this.#restOf(owner, now)
    if (rest !== undefined) return rest
    if (this.#buckets.size >= this.#keysMax) this.#sweep(now)
    if (this.#buckets.size < this.#keysMax) return undefined
    if (owner === undefined || !this.#fold(now)) return this.#shared
    return this.#restOf(owner, now)
  }

  #restOf(owner: string | undefined, now: number): Bucket | undefined {
    const owned = owner === undefined ? undefined : this.#owners.get(owner)
    if (owned?.rest === undefined) return undefined
    if (this.#tokensOf(owned.rest, now) < this.#rate.burst) return owned.rest
    this.#disown(owner!, owned, { rest: true })
    return undefined
  }

  /** Makes room at the cost of the owner with the most keys. Returns whether there is one with many. */
  #fold(now: number): boolean {
    let most: readonly [owner: string, owned: Owned] | undefined
    for (const entry of this.#owners) {
      if (entry[1].keys.size > (most?.[1].keys.size ?? FOLDED_MIN - 1)) most = entry
    }
    if (most === undefined) return false
    const [owner, owned] = most
    let tokens = this.#tokensOf(owned.rest, now)
    for (const key of owned.keys) {
      tokens = Math.min(tokens, this.#tokensOf(this.#buckets.get(key), now))
      this.#buckets.delete(key)
    }
    owned.keys.clear()
    owned.rest = { tokens, at: now, owner }
    return true
  }

  /** What an owner has no longer: a key, or the bucket that its other keys share. */
  #disown(owner: string, owned: Owned, gone: { readonly key?: string; readonly rest?: true }): void {
    if (gone.key !== undefined) owned.keys.delete(gone.key)
    if (gone.rest) owned.rest = undefined
    if (owned.keys.size === 0 && owned.rest === undefined) this.#owners.delete(owner)
  }

  #tokensOf(bucket: Bucket | undefined, now: number): number {
    const { perSecond, burst } = this.#rate
    if (bucket === undefined || bucket.at === Number.NEGATIVE_INFINITY) return burst
    // A clock that is set back gives nothing, and takes nothing.
    return Math.min(burst, bucket.tokens + (Math.max(now - bucket.at, 0) / 1000) * perSecond)
  }

  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < SWEEP_MILLISECONDS) return
    this.#sweptAt = now
    for (const [key, bucket] of this.#buckets) {
      if (this.#tokensOf(bucket, now) < this.#rate.burst) continue
      this.#buckets.delete(key)
      const { owner } = bucket
      if (owner !== undefined) this.#disown(owner, this.#ownedBy(owner), { key })
    }
    for (const owner of this.#owners.keys()) this.#restOf(owner, now)
  }
}

/**
 * Takes from every level or from none: the limits of an address, its network and of all together, for example. Returns
 * the longest wait in milliseconds, or `undefined` where everything was taken.
 */
export function takeAll(takings: readonly Taking[], now: number): number | undefined {
  let longest = 0
  for (const { limiter, key, amount, owner } of takings) {
    if (key !== undefined) longest = Math.max(longest, limiter.wait(key, now, amount, owner) ?? 0)
  }
  if (longest > 0) return longest
  for (const { limiter, key, amount, owner } of takings) {
    if (key !== undefined) limiter.take(key, now, amount, owner)
  }
  return undefined
}
