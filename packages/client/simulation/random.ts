/** Numbers that are the same in every run with the same seed (mulberry32). What is generated with them protects nothing. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A number from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.#next() % limit
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** Whether something with a probability of `percent` in a hundred happens. */
  chance(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<T>(among: readonly T[]): T {
    return among[this.below(among.length)]!
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += 4) {
      const word = this.#next()
      for (let part = 0; part < 4 && at + part < length; part++) bytes[at + part] = word >>> (8 * part)
    }
    return bytes
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** Dice of their own for one use of a seed: what one user draws changes nothing for the others (FNV-1a of 32 bits). */
export function diceFor(seed: number, use: string): Dice {
  let hash = 0x811c_9dc5 ^ seed
  for (let at = 0; at < use.length; at++) hash = Math.imul(hash ^ use.charCodeAt(at), 0x0100_0193)
  return new Dice(hash)
}
