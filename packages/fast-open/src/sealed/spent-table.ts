import { hash, randomBytes } from "node:crypto"

/** Slots are filled to three quarters at most, so that a search stays short. */
const LOAD_MAX = 0.75

/**
 * Remembers what was spent in a fixed amount of memory: 8 bytes for each of `capacity` entries, in two generations of
 * `generationMilliseconds`. An entry is remembered for one generation at least and two at most. When a generation is
 * full nothing more is taken in, and that is said: it never forgets early.
 *
 * Entries are known by 64 bits of a keyed digest, so that nobody can choose them to collide.
 */
export class SpentTable {
  readonly #capacity: number
  readonly #generationMilliseconds: number
  readonly #key = randomBytes(32)
  #current: Generation
  #previous: Generation
  #turnsAt: number

  constructor(options: { readonly capacity: number; readonly generationMilliseconds: number; readonly now: number }) {
    this.#capacity = options.capacity
    this.#generationMilliseconds = options.generationMilliseconds
    this.#current = new Generation(options.capacity)
    this.#previous = new Generation(options.capacity)
    this.#turnsAt = options.now + options.generationMilliseconds
  }

  /** Spends an entry: `first` now and here, `again` if it was spent before, `full` if that cannot be remembered. */
  spend(entry: Uint8Array, now: number): "first" | "again" | "full" {
    this.#turn(now)
    const { low, high } = this.#digest(entry)
    if (this.#previous.has(low, high)) return "again"
    return this.#current.add(low, high, this.#capacity)
  }

  /** Whether an entry was spent and is remembered. */
  has(entry: Uint8Array, now: number): boolean {
    this.#turn(now)
    const { low, high } = this.#digest(entry)
    return this.#previous.has(low, high) || this.#current.has(low, high)
  }

  /** Bytes that the table holds, now and always. */
  get memoryBytes(): number {
    return this.#current.memoryBytes + this.#previous.memoryBytes
  }

  #digest(entry: Uint8Array): { readonly low: number; readonly high: number } {
    // Nobody sees the digest, so it need not be an HMAC.
    const digest = hash("sha256", Buffer.concat([this.#key, entry]), "buffer")
    // Zero marks a free slot.
    return { low: digest.readUInt32LE(0), high: digest.readUInt32LE(4) || 1 }
  }

  #turn(now: number): void {
    if (now < this.#turnsAt) return
    const skipped = now >= this.#turnsAt + this.#generationMilliseconds
    const oldest = this.#previous
    this.#previous = this.#current
    this.#current = oldest
    this.#current.clear()
    if (skipped) this.#previous.clear()
    this.#turnsAt = now + this.#generationMilliseconds
  }
}

class Generation {
  readonly #slots: Uint32Array
  readonly #mask: number
  #count = 0

  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, capacity / LOAD_MAX)))
    this.#slots = new Uint32Array(slots * 2)
    this.#mask = slots - 1
  }

  has(low: number, high: number): boolean {
    return this.#slots[this.#find(low, high) + 1] === high
  }

  add(low: number, high: number, capacity: number): "first" | "again" | "full" {
    const at = this.#find(low, high)
    if (this.#slots[at + 1] === high) return "again"
    if (this.#count >= capacity) return "full"
    this.#slots[at] = low
    this.#slots[at + 1] = high
    this.#count++
    return "first"
  }

  clear(): void {
    if (this.#count === 0) return
    this.#slots.fill(0)
    this.#count = 0
  }

  get memoryBytes(): number {
    return this.#slots.byteLength
  }

  /** Where the entry is, or the free slot where it would be. */
  #find(low: number, high: number): number {
    let at = low & this.#mask
    while (this.#slots[at * 2 + 1] !== 0 && (this.#slots[at * 2] !== low || this.#slots[at * 2 + 1] !== high)) {
      at = (at + 1) & this.#mask
    }
    return at * 2
  }
}
