import { faultOf, framesOf } from "../diagnostics/faults.js"
import type { RunnerName } from "../diagnostics/lines.js"
import type { Log } from "../diagnostics/log.js"
import { ClientError } from "../errors.js"
import { Busy } from "../service/call.js"
import { WAIT_MILLISECONDS_MAX } from "../service/patience.js"
import { platformTimers, type Timers } from "../timers.js"
import type { Attention } from "./attention.js"

export interface RunnerOptions {
  /** May be repeated whenever it fails. */
  readonly job: () => Promise<void>
  readonly signal: AbortSignal
  /** When the job is to run again by itself (Unix time in milliseconds). */
  readonly due?: () => number | undefined
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  /** Default: the platform's. */
  readonly timers?: Timers
  /** Who looks has less patience. Default: nobody does. */
  readonly attention?: Attention
  /** Is told of the first of a row of failures that are neither the network's nor the store's. */
  readonly onFault: (error: unknown) => void
  /** Failed tries are written there, as those of `of`. */
  readonly log?: Log
  readonly of?: { readonly name: RunnerName; readonly conversation?: string }
}

/** What a runner is doing: for a report. */
export interface RunnerState {
  readonly running: boolean
  /** In a row. */
  readonly failures: number
  /** When it runs again by itself (Unix time in milliseconds). */
  readonly nextAt: number | undefined
}

const RETRY_MILLISECONDS_MIN = 250
const RETRY_MILLISECONDS_MAX = 30_000
/** What is due later is looked at again by then: the clock may be set, and the platform's timers end at 2³¹ - 1 ms. */
const DUE_MILLISECONDS_MAX = 86_400_000
/** For what the service has answered, and will answer again: it is asked for days, and less and less often. */
const REFUSED_MILLISECONDS_MAX = 3_600_000

/** Runs a job whenever there is a reason to, one run at a time, and again after a while where it fails. */
export class Runner {
  readonly #options: RunnerOptions
  #running: Promise<void> | undefined
  #again = false
  #failures = 0
  /** The service asked for patience until then (Unix time in milliseconds): nothing wakes the job before. */
  #patientUntil = 0
  /** Runs in a row that were due again at once. */
  #dueAtOnce = 0
  #cancelTimer = () => {}
  #nextAt: number | undefined

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  get state(): RunnerState {
    return { running: this.#running !== undefined, failures: this.#failures, nextAt: this.#nextAt }
  }

  /** There is something to do; does not wait for it. */
  wake(): void {
    this.#again = true
    if (this.#running !== undefined || this.#options.signal.aborted) return
    // The timer is set.
    if (this.#patientUntil > this.#options.now()) return
    this.#cancelTimer()
    this.#nextAt = undefined
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      if (this.#again) this.wake()
    })
  }

  /** What has failed is tried again now. */
  hasten(): void {
    if (this.#failures > 0) this.wake()
  }

  /** Runs the job to its end now, and rejects if it fails. */
  async once(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    this.#options.signal.throwIfAborted()
    this.#cancelTimer()
    this.#nextAt = undefined
    this.#again = false
    const job = this.#options.job()
    this.#running = job.then(
      () => {},
      () => {},
    )
    try {
      await job
      this.#failures = 0
    } catch (error) {
      this.#note(error, 0)
      throw error
    } finally {
      this.#running = undefined
      if (this.#again) this.wake()
    }
  }

  /** After the signal: waits for the run that is under way; there is none later. */
  async end(): Promise<void> {
    this.#cancelTimer()
    await this.#running
  }

  async #run(): Promise<void> {
    this.#again = false
    try {
      await this.#options.job()
      this.#failures = 0
      this.#scheduleDue(this.#options.due?.())
    } catch (error) {
      this.#fail(error)
    }
  }

  #scheduleDue(due: number | undefined): void {
    if (due === undefined) return
    const pause = Math.min(due - this.#options.now(), DUE_MILLISECONDS_MAX)
    this.#dueAtOnce = pause > 0 ? 0 : this.#dueAtOnce + 1
    // Once at once; a job that does not get done with what is due is no reason for a busy loop.
    this.#schedule(this.#dueAtOnce > 1 ? backoff(this.#dueAtOnce - 2, this.#options.random) : Math.max(0, pause))
  }

  #fail(error: unknown): void {
    const { signal, now, random, onFault } = this.#options
    if (signal.aborted) return
    const code = codeOf(error)
    const isExpected = code === "UNAVAILABLE" || code === "STORE_FAILED" || code === "UPDATE"
    if (!isExpected && this.#failures === 0) onFault(error)
    const patience = patienceOf(error, now())
    // A busy service keeps a place at the time that it names: later than that is no politeness.
    const hasPlace = error instanceof Busy
    this.#patientUntil = hasPlace ? now() + patience : 0
    if (hasPlace) this.#failures = 0
    const { attention } = this.#options
    const pause = Math.max(patience, pauseAfter(error, this.#failures, random, attention?.pauseMax))
    this.#note(error, pause)
    this.#schedule(pause)
    if (!hasPlace) this.#failures++
    // What woke us has been seen; the timer is the next try.
    this.#again = false
  }

  #note(error: unknown, pause: number): void {
    const { log, of, signal } = this.#options
    if (log === undefined || of === undefined || signal.aborted) return
    const frames = error instanceof ClientError ? undefined : framesOf(error)
    log.write("try failed", {
      runner: of.name,
      conversation: of.conversation,
      error: faultOf(error),
      failures: this.#failures + 1,
      pause,
      frames,
    })
  }

  #schedule(milliseconds: number): void {
    if (this.#options.signal.aborted) return
    this.#cancelTimer()
    this.#nextAt = this.#options.now() + milliseconds
    this.#cancelTimer = (this.#options.timers ?? platformTimers).after(milliseconds, () => {
      this.#nextAt = undefined
      this.#patientUntil = 0
      this.wake()
    })
  }
}

/** How long a service asked to wait, in milliseconds. */
export function patienceOf(error: unknown, now: number): number {
  const until = error instanceof ClientError ? error.retryAt?.getTime() : undefined
  return until === undefined ? 0 : Math.min(WAIT_MILLISECONDS_MAX, Math.max(0, until - now))
}

/** How long to wait after an error that comes after that many others in a row, in milliseconds. */
export function pauseAfter(
  error: unknown,
  failures: number,
  random: (length: number) => Uint8Array,
  pauseMax?: number,
): number {
  const code = codeOf(error)
  const isAnswer = code === "REFUSED" || code === "UPDATE"
  return backoff(failures, random, isAnswer ? REFUSED_MILLISECONDS_MAX : pauseMax)
}

function codeOf(error: unknown): string | undefined {
  return error instanceof ClientError ? error.code : undefined
}

/** Between half and all of a time that doubles: clients that lost the same service come back one by one. */
export function backoff(
  failures: number,
  random: (length: number) => Uint8Array,
  millisecondsMax = RETRY_MILLISECONDS_MAX,
): number {
  const most = Math.min(millisecondsMax, RETRY_MILLISECONDS_MIN * 2 ** Math.min(failures, 16))
  return (most / 2) * (1 + random(1)[0]! / 256)
}
