export interface Rate {
  readonly perSecond: number
  /** What may come at once after a pause. */
  readonly burst: number
}

interface Bucket {
  tokens: number
  at: number
}

/** A token bucket for each of the last `KEYS_MAX` keys; forgetting a key gives it a full bucket. */
export class RateLimiter {
  readonly #rate: Rate
  readonly #buckets = new Map<string, Bucket>()

  constructor(rate: Rate) {
    this.#rate = rate
  }

  /** Takes a token, or says in how many milliseconds there will be one. `now`: milliseconds. */
  take(key: string, now: number): number | undefined {
    const { perSecond, burst } = this.#rate
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now }
    const elapsedSeconds = Math.max(now - bucket.at, 0) / 1000
    const tokens = Math.min(burst, bucket.tokens + elapsedSeconds * perSecond)
    const allowed = tokens >= 1
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens: allowed ? tokens - 1 : tokens, at: now })
    if (this.#buckets.size > KEYS_MAX) this.#buckets.delete(this.#buckets.keys().next().value!)
    return allowed ? undefined : Math.ceil(((1 - tokens) / perSecond) * 1000)
  }
}

const KEYS_MAX = 10_000
