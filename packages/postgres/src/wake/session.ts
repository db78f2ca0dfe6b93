import { encodeFrame, type Frame } from "./frame.js"
import type { Telling } from "./pending.js"

/** A connection to a server that passes frames on to everyone who is connected, the sender included. */
export interface Line {
  /** Resolves when frames come in. */
  readonly ready: Promise<void>
  /** Rejects when the server refuses it or the connection is lost. */
  send(frame: Uint8Array): Promise<void>
  /** At any time. May wait for a server that does not answer: who calls it does not wait long. */
  close(): Promise<void>
}

export interface LineEvents {
  readonly onFrame: (frame: Uint8Array) => void
  readonly onLost: (error: unknown) => void
  /** How long to wait for the server to let this gateway in. */
  readonly milliseconds: number
}

/** Begins a connection; does not throw. */
export type OpenLine = (events: LineEvents) => Line

interface SessionOptions extends Omit<LineEvents, "onLost" | "onFrame"> {
  readonly sender: Uint8Array
  readonly onFrame: (frame: Uint8Array, session: Session) => void
}

/**
 * One connection until it is lost. A frame counts as told when it has come back from the server: that shows at once that
 * the server answers, that it passes frames on and that this gateway hears them.
 */
export class Session {
  readonly #line: Line
  readonly #options: SessionOptions
  #sequence = 0
  #openedAt: number | undefined
  #onHeard: (() => void) | undefined
  #onFailed: ((error: unknown) => void) | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(open: OpenLine, options: SessionOptions) {
    this.#options = options
    this.#line = open({
      milliseconds: options.milliseconds,
      onFrame: (frame) => options.onFrame(frame, this),
      onLost: (error) => this.fail(error),
    })
    // A session that has failed awaits it no longer.
    this.#line.ready.catch(() => {})
  }

  async open(): Promise<void> {
    await this.wait(this.#line.ready, this.#options.milliseconds)
    await this.tell({ everything: false, hints: [] })
    this.#openedAt = performance.now()
  }

  /** For how long hints have come and gone; 0 before they did. */
  get openMilliseconds(): number {
    return this.#openedAt === undefined ? 0 : performance.now() - this.#openedAt
  }

  async tell(telling: Telling): Promise<void> {
    this.#sequence = (this.#sequence + 1) >>> 0
    const heard = new Promise<void>((resolve) => {
      this.#onHeard = resolve
    })
    const sent = this.#line.send(encodeFrame({ ...telling, sender: this.#options.sender, sequence: this.#sequence }))
    await this.wait(Promise.all([sent, heard]), this.#options.milliseconds)
  }

  /** Sends a frame that nobody waits for. */
  pass(frame: Uint8Array): Promise<void> {
    return this.wait(this.#line.send(frame), this.#options.milliseconds)
  }

  /** One of this gateway's own frames has come back. */
  hear({ sequence }: Frame): void {
    if (sequence === this.#sequence) this.#onHeard?.()
  }

  /** The first failure counts. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#onFailed?.(error)
  }

  /** As `work` settles, or rejects when the connection is lost before or it takes too long. One at a time. */
  wait<T>(work: Promise<T>, milliseconds = Number.POSITIVE_INFINITY): Promise<T> {
    return new Promise((resolve, reject) => {
      const tooLong = () => reject(new Error(`the server has not answered for ${milliseconds} ms`))
      const timer = Number.isFinite(milliseconds) ? setTimeout(tooLong, milliseconds) : undefined
      this.#onFailed = (error) => {
        clearTimeout(timer)
        reject(error)
      }
      if (this.#failure !== undefined) this.#onFailed(this.#failure.error)
      work.finally(() => clearTimeout(timer)).then(resolve, reject)
    })
  }

  /** Does not wait long for a server that does not answer. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSING_MILLISECONDS)
      this.#line
        .close()
        .catch(() => {})
        .finally(() => {
          clearTimeout(timer)
          resolve()
        })
    })
  }
}

const CLOSING_MILLISECONDS = 500
