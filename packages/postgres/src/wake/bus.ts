/// <reference lib="esnext.disposable" preserve="true" />
import { randomBytes } from "node:crypto"
import { setTimeout as timeout } from "node:timers/promises"
import { Ears, SIGNAL_SIZE_MAX, type Wake, type Watch } from "@conclave/delivery/store"
import { decodeFrame, decodeSignals, encodeSignals, hintOf, hintsOf, tagOf } from "./frame.js"
import { HintedTopics } from "./hinted.js"
import { Pending } from "./pending.js"
import { PendingSignals } from "./pending-signals.js"
import { type OpenLine, Session } from "./session.js"

/** What {@link notifyWake} and {@link natsWake} have in common. */
export interface WakeOptions {
  /**
   * Called once when hints do not come any longer, or do not come from the start: from then on the service finds by its
   * poll (`pollMilliseconds`) what others have written. The connection is tried again and again.
   */
  readonly onLost?: (error: Error) => void
  /** Called once when hints come again after {@link onLost}. */
  readonly onRegained?: () => void
  readonly limits?: Partial<WakeLimits>
}

export interface WakeLimits {
  /** The least time between two messages of this gateway; what is noted meanwhile shares the next. Default 5. */
  readonly pauseMilliseconds: number
  /** Hints that wait for the server, each of about 80 bytes; beyond that all are told to look at everything. Default 10,000. */
  readonly pendingMax: number
  /** Bytes of signals that wait for the server; what comes beyond is dropped. Default 256 KiB. */
  readonly signalBytesMax: number
  /** How long the server may take for an answer before the connection counts as lost. Default 5,000. */
  readonly answerMilliseconds: number
  /** How often an idle connection is tried. Default 15,000. */
  readonly heartbeatMilliseconds: number
  /** The longest time between two attempts to connect. Default 10,000. */
  readonly retryMilliseconds: number
}

const defaults: WakeLimits = {
  pauseMilliseconds: 5,
  pendingMax: 10_000,
  signalBytesMax: 256 * 1024,
  answerMilliseconds: 5_000,
  heartbeatMilliseconds: 15_000,
  retryMilliseconds: 10_000,
}

/** What has become of hints since the start. */
export interface WakeFigures {
  /** Told to the server. */
  readonly sent: number
  /** That came from other gateways. */
  readonly received: number
  /** Times after which nobody knows what was missed: the connection was lost, or too much waited here or elsewhere. */
  readonly lost: number
  /** That wait for the server. */
  readonly waiting: number
  /** Signals told to the server, that came from other gateways, and that were dropped here for want of room or of a server. */
  readonly signals: { readonly sent: number; readonly received: number; readonly dropped: number }
  /** Whether hints come and go now. */
  readonly isConnected: boolean
}

/** {@link Wake}, which tells what has become of its hints. */
export type WatchedWake = Wake & AsyncDisposable & { readonly figures: WakeFigures }

/** The first attempt to connect again comes after half of this, or up to all of it; each further one after twice the time. */
const FIRST_RETRY_MILLISECONDS = 100

/** A look at everything is dear, and the bus may ask for it as often as it likes. */
const EVERYTHING_MILLISECONDS = 1_000

/** How long the last hints may take when a gateway ends. */
const LAST_MILLISECONDS = 1_000

/** Hints over a server that passes frames on; `name` is the server's, for errors. */
export function busWake(name: string, open: OpenLine, options: WakeOptions): WatchedWake {
  return new BusWake(name, open, options)
}

class BusWake implements WatchedWake {
  readonly #name: string
  readonly #open: OpenLine
  readonly #options: WakeOptions
  readonly #limits: WakeLimits
  readonly #topics = new HintedTopics()
  readonly #pending: Pending
  readonly #ears = new Ears()
  readonly #pendingSignals: PendingSignals
  readonly #signals = { sent: 0, received: 0, dropped: 0 }
  readonly #sender = new Uint8Array(randomBytes(8))
  readonly #ended = new AbortController()
  readonly #running: Promise<void>
  #session: Session | undefined
  #isLost = false
  #stir: (() => void) | undefined
  #resting: NodeJS.Timeout | undefined
  #isEverythingDue = false
  #isConnected = false
  #sent = 0
  #came = 0
  #losses = 0

  constructor(name: string, open: OpenLine, options: WakeOptions) {
    this.#name = name
    this.#open = open
    this.#options = options
    this.#limits = { ...defaults, ...options.limits }
    this.#pending = new Pending(this.#limits.pendingMax)
    this.#pendingSignals = new PendingSignals(this.#limits.signalBytesMax)
    this.#running = this.#run()
  }

  get figures(): WakeFigures {
    return {
      sent: this.#sent,
      received: this.#came,
      lost: this.#losses,
      waiting: this.#pending.size,
      signals: { ...this.#signals },
      isConnected: this.#isConnected,
    }
  }

  notify(topic: string): void {
    const hint = hintOf(topic)
    this.#topics.note(hint)
    if (this.#ended.signal.aborted) return
    this.#pending.add(hint)
    this.#stir?.()
  }

  signal(topic: string, body: Uint8Array): void {
    const tag = tagOf(topic)
    this.#ears.tell(tag, body)
    if (body.length > SIGNAL_SIZE_MAX || this.#ended.signal.aborted) return
    const isKept = this.#isConnected && this.#pendingSignals.add({ tag: Buffer.from(tag, "latin1"), body })
    if (isKept) this.#stir?.()
    else this.#signals.dropped++
  }

  hear(topic: string, listener: (body: Uint8Array) => void): Disposable {
    return this.#ears.add(tagOf(topic), listener)
  }

  notifyHere(topic: string): void {
    this.#topics.note(hintOf(topic))
  }

  notifyAllHere(): void {
    this.#topics.noteAll()
  }

  watch(topics: Iterable<string>, noted?: (topic: string) => void): Watch {
    return this.#topics.watch(topics, noted)
  }

  watching(topic: string): number {
    return this.#topics.watching(topic)
  }

  /** Sends the hints that wait, if that takes no longer than a second. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort()
    this.#stir?.()
    const ending = () => this.#session?.fail(new Error("the gateway ends"))
    if (this.#session?.openMilliseconds === 0) ending()
    const timer = setTimeout(ending, LAST_MILLISECONDS)
    await this.#running
    clearTimeout(timer)
    clearTimeout(this.#resting)
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    for (let attempts = 0; !signal.aborted; attempts++) {
      const session = new Session(this.#open, {
        sender: this.#sender,
        milliseconds: this.#limits.answerMilliseconds,
        onFrame: (frame, session) => this.#received(frame, session),
      })
      try {
        await this.#serve(session)
      } catch (error) {
        if (!signal.aborted) this.#lost(error)
      } finally {
        if (this.#isConnected) this.#losses++
        this.#isConnected = false
      }
      // A server that takes connections and drops them is not asked more often than one that is down.
      if (session.openMilliseconds > this.#limits.retryMilliseconds) attempts = 0
      await pause(this.#delay(attempts), signal)
    }
  }

  /** Until the connection is lost, or this gateway has ended and all is told. */
  async #serve(session: Session): Promise<void> {
    this.#session = session
    const { signal } = this.#ended
    try {
      await session.open()
      this.#regained()
      for (;;) {
        await session.wait(this.#somethingToTell())
        if (signal.aborted && this.#pending.size === 0) return
        if (this.#pending.size > 0 || this.#pendingSignals.length === 0) await this.#tell(session)
        await this.#pass(session)
        await pause(this.#limits.pauseMilliseconds, signal)
      }
    } finally {
      this.#stir?.()
      this.#pendingSignals.clear()
      await session.close()
    }
  }

  /** Resolves when a hint waits, when it is time for a heartbeat, or at the end. */
  #somethingToTell(): Promise<void> {
    if (this.#pending.size > 0 || this.#pendingSignals.length > 0 || this.#ended.signal.aborted)
      return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#limits.heartbeatMilliseconds)
      this.#stir = () => {
        this.#stir = undefined
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** One frame of signals: they are not told again, whatever becomes of it. */
  async #pass(session: Session): Promise<void> {
    const signals = this.#pendingSignals.take()
    if (signals.length === 0) return
    await session.pass(encodeSignals({ sender: this.#sender, signals: [...signals] }))
    this.#signals.sent += signals.length
  }

  async #tell(session: Session): Promise<void> {
    const telling = this.#pending.take()
    try {
      await session.tell(telling)
      this.#sent += telling.hints.length
      if (telling.everything) this.#losses++
    } catch (error) {
      this.#pending.putBack(telling)
      throw error
    }
  }

  #received(bytes: Uint8Array, session: Session): void {
    const passed = decodeSignals(bytes)
    if (passed !== undefined) {
      if (Buffer.compare(passed.sender, this.#sender) === 0) return
      this.#signals.received += passed.signals.length
      for (const { tag, body } of passed.signals) this.#ears.tell(Buffer.from(tag).toString("latin1"), body)
      return
    }
    const frame = decodeFrame(bytes)
    if (frame === undefined) return
    if (Buffer.compare(frame.sender, this.#sender) === 0) {
      session.hear(frame)
      return
    }
    if (frame.everything) {
      this.#losses++
      this.#everything()
    }
    for (const hint of hintsOf(frame)) {
      this.#came++
      this.#topics.note(hint)
    }
  }

  /** At once, and then no sooner than after a second. */
  #everything(): void {
    this.#isEverythingDue = true
    if (this.#resting === undefined) this.#wakeAll()
  }

  #wakeAll(): void {
    this.#resting = undefined
    if (!this.#isEverythingDue) return
    this.#isEverythingDue = false
    this.#topics.noteAll()
    this.#resting = setTimeout(() => this.#wakeAll(), EVERYTHING_MILLISECONDS)
  }

  #lost(error: unknown): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#options.onLost?.(new Error(`no hints from other gateways by ${this.#name}: ${reasonOf(error)}`))
  }

  /** What others have told while nobody listened here is not told again. */
  #regained(): void {
    this.#isConnected = true
    this.#everything()
    if (!this.#isLost) return
    this.#isLost = false
    this.#options.onRegained?.()
  }

  /** In milliseconds. Gateways that have lost their server together do not come back together. */
  #delay(attempts: number): number {
    const longest = Math.min(FIRST_RETRY_MILLISECONDS * 2 ** attempts, this.#limits.retryMilliseconds)
    return longest * (0.5 + Math.random() / 2)
  }
}

/** Of several addresses that were tried, the first. Errors of clients hold what they were given: only the text goes on. */
function reasonOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error
  return first instanceof Error && first.message !== "" ? first.message : "the connection was lost"
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  timeout(milliseconds, undefined, { signal }).catch(() => {})
