import { SpentTable } from "./spent-table.js"

/**
 * `first`: the request may run. `copy`: it was here before. `undecided`: the register cannot tell, so the request must not
 * run from a first flight.
 */
export type Struck = "first" | "copy" | "undecided"
export type Noted = Exclude<Struck, "undecided">

/**
 * Decides whether a request in a first flight may run. Gateways that share a key of the day must share a register too, or a
 * recorded flight runs once on each of them.
 *
 * A register may answer later, or reject where it cannot answer. The caller waits a limited time and then aborts `signal`: an
 * answer after that is not acted on, so the register must not take the request for one that ran.
 */
export interface StrikeRegister {
  /**
   * @param requestId 16 bytes
   * @param time what the client says of the server's clock, in milliseconds since 1970
   * @param keySince when the key that it was sealed to was made, or taken over from a former process
   */
  strike(requestId: Uint8Array, time: number, keySince: KeySince, signal: AbortSignal): Struck | Promise<Struck>
  /** For a request that cannot be a replay: `copy` where it ran before, from a first flight. */
  note(requestId: Uint8Array, signal: AbortSignal): Noted | Promise<Noted>
  /** The clock that times are compared with, in milliseconds since 1970, where it is not the gateway's own. */
  now?(): number
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

  strike(requestId: Uint8Array, time: number, key: KeySince): Struck {
    const now = this.#clock()
    if (Math.abs(time - now) > this.#window) return "undecided"
    // A former process accepted times of up to its last moment and a window: what is later cannot have run there.
    if (key.inherited && time <= key.since + this.#window) return "undecided"
    const spent = this.#table.spend(requestId, now)
    return spent === "again" ? "copy" : spent === "full" ? "undecided" : "first"
  }

  note(requestId: Uint8Array): Noted {
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
