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
}

interface Bucket {
  tokens: number
  at: number
}

/** The table is searched for full buckets at most this often. */
const SWEEP_MILLISECONDS = 1000

/**
 * A token bucket for each key, in bounded memory. A bucket is forgotten only when it is full, which no caller can tell
 * from one that was never there. While the table has no room, all keys that are new share one bucket of the same rate:
 * an attacker with many keys slows newcomers down, and neither stops them nor refills anybody's bucket.
 */
export class RateLimiter {
  readonly #rate: Rate
  readonly #keysMax: number
  readonly #buckets = new Map<string, Bucket>()
  readonly #shared: Bucket
  #sweptAt = Number.NEGATIVE_INFINITY

  constructor(rate: Rate, { keysMax = 20_000 }: RateLimiterOptions = {}) {
    this.#rate = rate
    this.#keysMax = keysMax
    this.#shared = { tokens: rate.burst, at: Number.NEGATIVE_INFINITY }
  }

  /** Takes `amount` tokens, or returns in how many milliseconds there will be so many. `now`: milliseconds. */
  take(key: string, now: number, amount = 1): number | undefined {
    const wait = this.wait(key, now, amount)
    if (wait === undefined) this.#spend(key, now, amount)
    return wait
  }

  /** What {@link take} would return, with nothing taken. `Infinity` for more than the burst. */
  wait(key: string, now: number, amount = 1): number | undefined {
    const tokens = this.#tokensOf(this.#buckets.get(key) ?? this.#newcomer(now), now)
    if (tokens >= amount) return undefined
    const { perSecond, burst } = this.#rate
    return amount > burst ? Number.POSITIVE_INFINITY : Math.ceil(((amount - tokens) / perSecond) * 1000)
  }

  /** Buckets that are kept now, the shared one left out. */
  get size(): number {
    return this.#buckets.size
  }

  #spend(key: string, now: number, amount: number): void {
    const bucket = this.#buckets.get(key) ?? this.#newcomer(now)
    if (bucket === undefined) this.#buckets.set(key, { tokens: this.#rate.burst - amount, at: now })
    else {
      bucket.tokens = this.#tokensOf(bucket, now) - amount
      bucket.at = now
    }
  }

  /** The bucket of a key that has none: `undefined` for a full one of its own. */
  #newcomer(now: number): Bucket | undefined {
    if (this.#buckets.size >= this.#keysMax) this.#sweep(now)
    return this.#buckets.size >= this.#keysMax ? this.#shared : undefined
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
      if (this.#tokensOf(bucket, now) >= this.#rate.burst) this.#buckets.delete(key)
    }
  }
}

/**
 * Takes from every level or from none: the limits of an address, its network and of all together, for example. Returns
 * the longest wait in milliseconds, or `undefined` where everything was taken.
 */
export function takeAll(takings: readonly Taking[], now: number): number | undefined {
  let longest = 0
  for (const { limiter, key, amount } of takings) {
    if (key !== undefined) longest = Math.max(longest, limiter.wait(key, now, amount) ?? 0)
  }
  if (longest > 0) return longest
  for (const { limiter, key, amount } of takings) {
    if (key !== undefined) limiter.take(key, now, amount)
  }
  return undefined
}
