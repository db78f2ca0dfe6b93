import type { Timers } from "../timers.js"
import type { Attention } from "./attention.js"
import { backoff, patienceOf } from "./runner.js"

export interface PollingOptions {
  /** Asks the service for news, once. Rejects where it does not answer. */
  readonly round: () => Promise<void>
  readonly attention: Attention
  readonly timers: Timers
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly signal: AbortSignal
  /** {@link Polling.isAnswered} is another than before. */
  readonly onChange: () => void
}

const INTERVAL_MILLISECONDS = { first: 2_000, whileLooking: 5_000, most: 30_000, growth: 1.5 }

/**
 * Asks for news while there is no stream: every two seconds at first and after there was something, then less and less
 * often.
 */
export class Polling {
  readonly #options: PollingOptions
  #isWanted = false
  #isAnswered = false
  #running: Promise<void> | undefined
  #interval = INTERVAL_MILLISECONDS.first
  /** The service has asked for patience until then, on the clock of the timers: also where it is begun anew meanwhile. */
  #patientUntil = Number.NEGATIVE_INFINITY
  /** Ends the pause that is under way, unless it would end sooner than in so many milliseconds. */
  #shorten: (milliseconds: number) => void = () => {}

  constructor(options: PollingOptions) {
    this.#options = options
    options.signal.addEventListener("abort", () => this.stop(), { once: true })
  }

  /** It is under way, and the service has answered the last time. */
  get isAnswered(): boolean {
    return this.#isAnswered
  }

  /** Resolves when nothing is under way any more, after {@link stop} or the signal. */
  get done(): Promise<void> {
    return this.#running ?? Promise.resolve()
  }

  start(): void {
    if (this.#isWanted || this.#options.signal.aborted) return
    this.#isWanted = true
    this.#interval = INTERVAL_MILLISECONDS.first
    // A round that is under way from before goes on.
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  stop(): void {
    this.#isWanted = false
    this.#shorten(0)
    this.#setAnswered(false)
  }

  /** Something was sent or has come: more may. */
  hasten(): void {
    this.#interval = INTERVAL_MILLISECONDS.first
    this.#shorten(INTERVAL_MILLISECONDS.first)
  }

  /** Asks now, unless the service has asked for patience. */
  now(): void {
    this.#interval = INTERVAL_MILLISECONDS.first
    this.#shorten(0)
  }

  async #run(): Promise<void> {
    const { round, attention, now, random, timers } = this.#options
    for (let failures = 0; this.#isWanted; ) {
      const left = this.#patientUntil - timers.elapsed()
      if (left > 0) {
        await this.#pause(left, left)
        continue
      }
      let [patience, pause] = [0, 0]
      try {
        await round()
        failures = 0
        if (this.#isWanted) this.#setAnswered(true)
        pause = this.#nextInterval()
      } catch (error) {
        this.#setAnswered(false)
        patience = patienceOf(error, now())
        this.#patientUntil = timers.elapsed() + patience
        pause = Math.max(patience, backoff(failures++, random, attention.pauseMax))
      }
      if (this.#isWanted) await this.#pause(pause, patience)
    }
  }

  #nextInterval(): number {
    const { attention, random } = this.#options
    const { most, whileLooking, growth } = INTERVAL_MILLISECONDS
    const interval = Math.min(this.#interval, attention.isLooking ? whileLooking : most)
    this.#interval = interval * growth
    // Clients that lost their streams together do not ask together.
    return interval * (0.75 + random(1)[0]! / 512)
  }

  #setAnswered(isAnswered: boolean): void {
    if (this.#isAnswered === isAnswered) return
    this.#isAnswered = isAnswered
    this.#options.onChange()
  }

  /** No shorter than `least`, unless it is not wanted any more. */
  #pause(milliseconds: number, least: number): Promise<void> {
    const { timers } = this.#options
    return new Promise((resolve) => {
      const begun = timers.elapsed()
      let due = begun + milliseconds
      const end = () => {
        this.#shorten = () => {}
        resolve()
      }
      let cancel = timers.after(milliseconds, end)
      this.#shorten = (wanted) => {
        const at = this.#isWanted ? Math.max(timers.elapsed() + wanted, begun + least) : timers.elapsed()
        if (at >= due) return
        due = at
        cancel()
        if (at <= timers.elapsed()) end()
        else cancel = timers.after(at - timers.elapsed(), end)
      }
    })
  }
}
