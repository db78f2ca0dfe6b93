import type { Latencies } from "./results.js"

/** Buckets of each power of two: a value is known to within 1/64 of itself. */
const PARTS = 64

/**
 * Latencies in buckets whose width grows with the value, as in HdrHistogram: the memory is bounded however many there are,
 * and none is sampled away.
 */
export class Histogram {
  /** By index, see {@link indexOf}. */
  readonly #counts: number[] = []
  #count = 0
  #max = 0

  /** `milliseconds` are kept to the microsecond. */
  add(milliseconds: number): void {
    const index = indexOf(Math.max(0, Math.round(milliseconds * 1000)))
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#count++
    this.#max = Math.max(this.#max, milliseconds)
  }

  clear(): void {
    this.#counts.length = 0
    this.#count = 0
    this.#max = 0
  }

  get count(): number {
    return this.#count
  }

  /** Milliseconds that the part `share` (0 to 1) of the values does not exceed. */
  quantile(share: number): number {
    const wanted = Math.ceil(share * this.#count)
    let seen = 0
    for (const [index, count] of this.#counts.entries()) {
      seen += count ?? 0
      if (seen >= wanted && seen > 0) return Math.min(upperOf(index) / 1000, this.#max)
    }
    return this.#max
  }

  latencies(what: string): Latencies {
    const buckets = this.#counts.flatMap((count, index) =>
      count === undefined ? [] : [[upperOf(index) / 1000, count] as const],
    )
    const { count } = this
    return { what, count, p50: this.quantile(0.5), p99: this.quantile(0.99), max: this.#max, buckets }
  }
}

/** Whole microseconds below 64 have a bucket each; from there on each power of two has 64. */
function indexOf(microseconds: number): number {
  if (microseconds < PARTS) return microseconds
  const power = Math.floor(Math.log2(microseconds)) - Math.log2(PARTS)
  return PARTS * power + Math.floor(microseconds / 2 ** power)
}

/** The highest value of a bucket. */
function upperOf(index: number): number {
  if (index < 2 * PARTS) return index
  const power = Math.floor(index / PARTS) - 1
  return ((index % PARTS) + PARTS + 1) * 2 ** power - 1
}
