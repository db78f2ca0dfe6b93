import { ClientError } from "../errors.js"
import { Unavailable } from "../service/call.js"

export interface RunnerOptions {
  /** May be repeated whenever it fails. */
  readonly job: () => Promise<void>
  readonly signal: AbortSignal
  /** When the job is to run again by itself (Unix time in milliseconds). */
  readonly due?: () => number | undefined
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  /** Is told of the first of a row of failures that are neither the network's nor the store's. */
  readonly onFault: (error: unknown) => void
}

const RETRY_MILLISECONDS_MIN = 250
const RETRY_MILLISECONDS_MAX = 30_000

/** Runs a job whenever there is a reason to, one run at a time, and again after a while where it fails. */
export class Runner {
  readonly #options: RunnerOptions
  #running: Promise<void> | undefined
  #again = false
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /** There is something to do; does not wait for it. */
  wake(): void {
    this.#again = true
    if (this.#running !== undefined || this.#options.signal.aborted) return
    clearTimeout(this.#timer)
    this.#running = this.#run().finally(() => {
      this.#running = undefined
      if (this.#again) this.wake()
    })
  }

  /** Runs the job to its end now, and rejects if it fails. */
  async once(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    this.#options.signal.throwIfAborted()
    clearTimeout(this.#timer)
    this.#again = false
    const job = this.#options.job()
    this.#running = job.then(
      () => {},
      () => {},
    )
    try {
      await job
      this.#failures = 0
    } finally {
      this.#running = undefined
      if (this.#again) this.wake()
    }
  }

  /** After the signal: waits for the run that is under way; there is none later. */
  async end(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#running
  }

  async #run(): Promise<void> {
    this.#again = false
    try {
      await this.#options.job()
      this.#failures = 0
      const due = this.#options.due?.()
      if (due !== undefined) this.#schedule(Math.max(0, due - this.#options.now()))
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (this.#options.signal.aborted) return
    const expected = error instanceof ClientError && (error.code === "UNAVAILABLE" || error.code === "STORE_FAILED")
    if (!expected && this.#failures === 0) this.#options.onFault(error)
    const patience = error instanceof Unavailable ? (error.retryAfterMilliseconds ?? 0) : 0
    this.#schedule(Math.max(patience, backoff(this.#failures, this.#options.random)))
    this.#failures++
    // What woke us has been seen; the timer is the next try.
    this.#again = false
  }

  #schedule(milliseconds: number): void {
    if (this.#options.signal.aborted) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.wake(), milliseconds)
  }
}

/** Between half and all of a time that doubles: clients that lost the same service come back one by one. */
export function backoff(failures: number, random: (length: number) => Uint8Array): number {
  const most = Math.min(RETRY_MILLISECONDS_MAX, RETRY_MILLISECONDS_MIN * 2 ** Math.min(failures, 16))
  return (most / 2) * (1 + random(1)[0]! / 256)
}
