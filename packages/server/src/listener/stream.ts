import type { Handler, Requester } from "@conclave/transport"
import { costOf, type ServerFrame } from "@conclave/transport/parts"
import { SocketGone } from "./outbox.js"

export interface StreamOptions {
  readonly credit: number
  readonly requester: Requester | undefined
  /** Resolves when the socket has room for another item. */
  readonly room: () => Promise<void>
  /** Resolves when the frame has left this process's memory. */
  readonly send: (frame: ServerFrame) => Promise<void>
  readonly onError: (error: unknown) => void
  /** Called once, when the first item has left. */
  readonly onAnswered: () => void
}

/** More than a reader could ever have room for: a client cannot switch the flow control off. */
const CREDIT_MAX = 16 * 1024 * 1024
/** Bytes that need not have left before the service is asked on: many short answers, or one and the end, leave together. */
const UNSENT_MAX = 16 * 1024

/**
 * One stream of a socket. The service is asked for its next response only when the client has granted credit and what was
 * said before is written out but for a little, so what waits for a slow reader stays where the service keeps it.
 */
export class ServerStream {
  readonly #number: number
  readonly #options: StreamOptions
  readonly #gone = new AbortController()
  #credit: number
  #wake: (() => void) | undefined
  #isAnswered = false
  /** Bytes of items that have not left this process's memory. */
  #unsent = 0

  constructor(number: number, options: StreamOptions) {
    this.#number = number
    this.#options = options
    this.#credit = Math.min(options.credit, CREDIT_MAX)
  }

  /** Something has been said on it: what is left is a subscription, or over. */
  get isAnswered(): boolean {
    return this.#isAnswered
  }

  /** Resolves when the stream is over; never rejects. */
  async run(service: Handler, body: Uint8Array): Promise<void> {
    try {
      await this.#pump(service, body)
      if (!this.#gone.signal.aborted) await this.#options.send({ type: "end", stream: this.#number })
    } catch (error) {
      if (this.#gone.signal.aborted || error instanceof SocketGone) return
      this.#options.onError(error)
      const reason = "the service failed; it is not the request's fault"
      await this.#options.send({ type: "failed", stream: this.#number, reason, retryable: true }).catch(() => {})
    }
  }

  grant(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, CREDIT_MAX)
    this.#wake?.()
  }

  cancel(): void {
    this.#gone.abort()
    this.#wake?.()
  }

  async #pump(service: Handler, body: Uint8Array): Promise<void> {
    const { signal } = this.#gone
    const responses = service(body, { signal, early: false, way: "socket", ...this.#options.requester })[
      Symbol.asyncIterator
    ]()
    try {
      while (await this.#mayContinue()) {
        const next = await responses.next()
        if (next.done || signal.aborted) return
        this.#credit -= costOf(next.value)
        const sending = this.#send(next.value)
        if (this.#unsent > UNSENT_MAX) await sending
      }
    } finally {
      await responses.return?.()
    }
  }

  /** Resolves when the item has left, or cannot. */
  async #send(body: Uint8Array): Promise<void> {
    this.#unsent += body.length
    try {
      await this.#options.send({ type: "item", stream: this.#number, body })
    } catch {
      this.cancel()
      return
    }
    this.#unsent -= body.length
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.#options.onAnswered()
  }

  async #mayContinue(): Promise<boolean> {
    while (this.#credit <= 0 && !this.#gone.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (!this.#gone.signal.aborted) await this.#options.room()
    return !this.#gone.signal.aborted
  }
}
