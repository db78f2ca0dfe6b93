import { SpentTable } from "./spent-table.js"

/**
 * Decides whether a request in a first flight may run. One register stands behind each key of the day: front ends that
 * share a key must share a register too, or a recorded flight runs once on each of them.
 */
export interface StrikeRegister {
  /**
   * `first`: it may run. `copy`: the same request was here before. `undecided`: nobody can tell, so it must not run
   * from a first flight.
   *
   * @param time what the client says of the server's clock, in milliseconds since 1970
   * @param keySince when the key that it was sealed to was made, or taken over from a former process
   */
  strike(requestId: Uint8Array, time: number, keySince: KeySince): "first" | "copy" | "undecided"
  /** For a request that cannot be a replay: `copy` where it ran before, from a first flight. */
  note(requestId: Uint8Array): "first" | "copy"
}

export interface KeySince {
  /** Whether another process may have run requests that were sealed to this key. */
  readonly inherited: boolean
  readonly since: number
}

export interface StrikeRegisterOptions {
  /** How far a request's time may be from now, in milliseconds. Default 10,000. */
  readonly windowMilliseconds?: number
  /** Requests remembered in two windows. Default 262,144: 8 MiB, for 13,000 requests a second. */
  readonly capacity?: number
  readonly now?: () => number
}

/** A register in the memory of one process. */
export class MemoryStrikeRegister implements StrikeRegister {
  readonly #window: number
  readonly #now: () => number
  readonly #table: SpentTable
  #latest: number

  constructor({ windowMilliseconds = 10_000, capacity = 262_144, now = Date.now }: StrikeRegisterOptions = {}) {
    this.#window = windowMilliseconds
    this.#now = now
    this.#latest = now()
    // Taken in as late as `time + window`, and acceptable until `time + window` once more.
    this.#table = new SpentTable({ capacity, generationMilliseconds: 2 * windowMilliseconds, now: this.#latest })
  }

  strike(requestId: Uint8Array, time: number, key: KeySince): "first" | "copy" | "undecided" {
    const now = this.#clock()
    if (Math.abs(time - now) > this.#window) return "undecided"
    // A former process accepted times of up to its last moment and a window: what is later cannot have run there.
    if (key.inherited && time <= key.since + this.#window) return "undecided"
    const spent = this.#table.spend(requestId, now)
    return spent === "again" ? "copy" : spent === "full" ? "undecided" : "first"
  }

  note(requestId: Uint8Array): "first" | "copy" {
    return this.#table.spend(requestId, this.#clock()) === "again" ? "copy" : "first"
  }

  get memoryBytes(): number {
    return this.#table.memoryBytes
  }

  /** A clock that is set back must not open a window again. */
  #clock(): number {
    this.#latest = Math.max(this.#latest, this.#now())
    return this.#latest
  }
}
