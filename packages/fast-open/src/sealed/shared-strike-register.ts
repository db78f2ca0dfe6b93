import { createHash, randomBytes } from "node:crypto"
import { SpentTable } from "./spent-table.js"
import type { Noted, StrikeRegister, Struck } from "./strike-register.js"

/** A request, as the store of a shared register knows it. */
export interface StrikeEntry {
  /** 16 bytes. */
  readonly digest: Uint8Array
  /** What its flight says of the time, in milliseconds since 1970; `undefined` for a request that cannot be a replay. */
  readonly time: number | undefined
}

export type StrikeOutcome =
  /** It was not there, and is now. */
  | "entered"
  /** Another gateway has entered it. */
  | "theirs"
  /** This gateway has entered it before. */
  | "ours"
  /** Its time is too far from the store's, or before what the store has forgotten. */
  | "outside"

/** Where gateways enter the requests of one window. The first to enter a request is the only one. */
export interface StrikeStore {
  /**
   * Enters each where it is not there yet; no digest occurs twice among `entries`. Rejects where it is not known what became
   * of them.
   *
   * @param claim 8 bytes that are this gateway's alone
   * @returns an outcome for each, and the store's clock in milliseconds since 1970
   */
  enter(
    entries: readonly StrikeEntry[],
    claim: Uint8Array,
  ): Promise<{ readonly outcomes: readonly StrikeOutcome[]; readonly now: number }>
  /** Deletes entries that no request can meet any more. */
  sweep(): Promise<void>
}

export interface SharedStrikeRegisterOptions {
  readonly store: StrikeStore
  /** That of the store. Default 10,000. */
  readonly windowMilliseconds?: number
  /** Requests remembered here in two windows, which are not asked for again. Default 262,144: 8 MiB. */
  readonly capacity?: number
  /** Is told once that the store does not answer: until it does, every request is asked inside its connection. */
  readonly onLost?: (error: Error) => void
  readonly onRegained?: () => void
}

interface Asked extends StrikeEntry {
  readonly signal: AbortSignal
  resolve(outcome: StrikeOutcome): void
  reject(error: Error): void
}

const BATCH_MAX = 256
const WAITING_MAX = 4_096
/** Notes that are made up for: 2 MiB. */
const OWED_MAX = 16_384
/** Statements under way at the same time. */
const BATCHES_MAX = 2
const PROBE_MILLISECONDS = 1_000

/**
 * A register that gateways share by a store. What has run in this process is known here, and costs the store nothing.
 *
 * While the store does not answer, nothing waits for it: strikes are undecided at once, notes reject, and a probe is sent
 * each second. What was noted meanwhile is entered before the store is asked again.
 *
 * An entry is made before its answer is known. So an entry of this gateway whose request did not run here is one whose answer
 * came too late: from a first flight it stays undecided, and inside a connection it runs.
 */
export class SharedStrikeRegister implements StrikeRegister, Disposable {
  readonly #options: SharedStrikeRegisterOptions
  readonly #claim = randomBytes(8)
  /** Requests that this process was told to run, or not to. */
  readonly #settled: SpentTable
  readonly #window: number
  #waiting: Asked[] = []
  /** Requests that ran while the store did not answer, and when nobody can repeat them any more. */
  readonly #owed: { readonly entry: StrikeEntry; readonly until: number }[] = []
  #batches = 0
  #lost: Error | undefined
  #probe: NodeJS.Timeout | undefined
  #isDisposed = false
  readonly #sweeping: NodeJS.Timeout
  /** The store's clock less that of this process. */
  #offset = Date.now() - performance.now()

  constructor(options: SharedStrikeRegisterOptions) {
    this.#options = options
    const { windowMilliseconds = 10_000, capacity = 262_144 } = options
    this.#window = windowMilliseconds
    // Acceptable until `time + window`, which is two windows from now at most.
    const generationMilliseconds = 2 * windowMilliseconds
    this.#settled = new SpentTable({ capacity, generationMilliseconds, now: performance.now() })
    this.#sweeping = setInterval(() => void options.store.sweep().catch(() => {}), generationMilliseconds)
    this.#sweeping.unref()
  }

  /** Learns the store's clock. Rejects where the store does not answer. */
  async start(): Promise<void> {
    const sent = performance.now()
    this.#setClock(await this.#options.store.enter([], this.#claim), sent)
  }

  async strike(requestId: Uint8Array, time: number, _: unknown, signal: AbortSignal): Promise<Struck> {
    if (this.#settled.has(requestId, performance.now())) return "copy"
    if (!Number.isSafeInteger(time) || this.#lost !== undefined) return "undecided"
    const outcome = await this.#ask({ digest: digestOf(requestId), time }, signal)
    if (signal.aborted || outcome === "outside" || outcome === "ours") return "undecided"
    // What cannot be remembered here would be taken for an entry whose answer came too late.
    if (this.#settled.spend(requestId, performance.now()) === "full") return "undecided"
    return outcome === "entered" ? "first" : "copy"
  }

  async note(requestId: Uint8Array, signal: AbortSignal): Promise<Noted> {
    if (this.#settled.has(requestId, performance.now())) return "copy"
    // Whatever the answer is, and if there is none: the request runs, here or where it ran before.
    this.#settled.spend(requestId, performance.now())
    const entry = { digest: digestOf(requestId), time: undefined }
    try {
      if (this.#lost !== undefined) throw this.#lost
      return (await this.#ask(entry, signal)) === "theirs" ? "copy" : "first"
    } catch (error) {
      if (this.#owed.length < OWED_MAX) this.#owed.push({ entry, until: performance.now() + 2 * this.#window })
      throw error
    }
  }

  now(): number {
    return Math.floor(performance.now() + this.#offset)
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
    clearInterval(this.#sweeping)
    clearTimeout(this.#probe)
    this.#fail(new Error("the register is closed"))
  }

  #ask(entry: StrikeEntry, signal: AbortSignal): Promise<StrikeOutcome> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= WAITING_MAX) {
        const error = new Error("too many requests wait for the register")
        this.#lose(error)
        reject(error)
        return
      }
      this.#waiting.push({ ...entry, signal, resolve, reject })
      signal.addEventListener("abort", () => this.#lose(new Error("the register does not answer in time")), {
        once: true,
      })
      this.#send()
    })
  }

  /** What arrives while statements are under way shares the next one. */
  #send(): void {
    while (this.#batches < BATCHES_MAX && this.#waiting.length > 0) {
      const batch = this.#takeBatch()
      if (batch.length === 0) return
      this.#batches++
      void this.#enter(batch).finally(() => {
        this.#batches--
        this.#send()
      })
    }
  }

  #takeBatch(): Asked[] {
    const batch = new Map<string, Asked>()
    const rest: Asked[] = []
    for (const asked of this.#waiting) {
      const name = Buffer.from(asked.digest).toString("latin1")
      if (asked.signal.aborted) asked.reject(new Error("nobody waits for it any more"))
      else if (batch.size >= BATCH_MAX || batch.has(name)) rest.push(asked)
      else batch.set(name, asked)
    }
    this.#waiting = rest
    return [...batch.values()]
  }

  async #enter(batch: readonly Asked[]): Promise<void> {
    const sent = performance.now()
    try {
      const entries = batch.map(({ digest, time }) => ({ digest, time }))
      const answer = await this.#options.store.enter(entries, this.#claim)
      this.#setClock(answer, sent)
      for (const [index, { resolve }] of batch.entries()) resolve(answer.outcomes[index]!)
    } catch (error) {
      for (const { reject } of batch) reject(error as Error)
      this.#lose(error as Error)
    }
  }

  /** The middle of the way there and back. An answer that took long says little of the time. */
  #setClock({ now }: { readonly now: number }, sent: number): void {
    const received = performance.now()
    if (received - sent < PROBE_MILLISECONDS) this.#offset = now - (sent + received) / 2
  }

  #lose(error: Error): void {
    if (this.#lost !== undefined) return
    this.#lost = error
    this.#options.onLost?.(error)
    this.#fail(error)
    this.#scheduleProbe()
  }

  #fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(error)
  }

  /** Enters what ran meanwhile: its first flight may have been recorded, and could run at another gateway. */
  async #payOwed(): Promise<void> {
    while (this.#owed.length > 0) {
      const now = performance.now()
      const batch = this.#owed.slice(0, BATCH_MAX)
      const entries = batch.filter(({ until }) => until > now).map(({ entry }) => entry)
      if (entries.length > 0) await this.#options.store.enter(entries, this.#claim)
      this.#owed.splice(0, batch.length)
    }
  }

  #scheduleProbe(): void {
    if (this.#isDisposed) return
    this.#probe = setTimeout(async () => {
      try {
        await this.start()
        await this.#payOwed()
        if (this.#isDisposed) return
        this.#lost = undefined
        this.#options.onRegained?.()
      } catch {
        this.#scheduleProbe()
      }
    }, PROBE_MILLISECONDS)
    this.#probe.unref()
  }
}

/**
 * Who knows the id of a request can hear its responses, so the store does not learn it. 128 random bits cannot be found from
 * their digest.
 */
function digestOf(requestId: Uint8Array): Uint8Array {
  return createHash("sha256").update("conclave strike").update(requestId).digest().subarray(0, 16)
}
