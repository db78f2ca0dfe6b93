import { DecodeError, decode, encode } from "@conclave/codec"
import { ClientFrame, costOf, ServerFrame } from "./frames.js"
import { TransportError } from "./seam.js"
import type { SocketTransportOptions, WebSocketLike } from "./socket-options.js"

/** One WebSocket from opening to its end, and the streams on it. */
export interface SocketSession {
  readonly alive: boolean
  /** Throws {@link TransportError} when the socket is gone. `credit`: see `frames.ts`. */
  open(request: { readonly service: string; readonly body: Uint8Array; readonly credit: number }): ClientStream
  close(): void
}

export interface ClientStream {
  /** The next item, `undefined` at the end; rejects when the stream or the socket fails. */
  next(): Promise<Uint8Array | undefined>
  /** Tells the server that nothing more is wanted. Does nothing after the end. */
  cancel(): void
  /** Ends the stream for its reader with `reason`, and cancels it. */
  fail(reason: unknown): void
}

/** Rejects with a retryable {@link TransportError} if there is no open socket in time. */
export function openSession(options: SocketTransportOptions): Promise<SocketSession> {
  const { url, createSocket, timeoutMilliseconds = 30_000 } = options
  return new Promise((resolve, reject) => {
    const socket = createSocket(url)
    socket.binaryType = "arraybuffer"
    const giveUp = (what: string, cause?: unknown) => {
      clearTimeout(timer)
      socket.close()
      reject(new TransportError(`cannot open a socket to ${url.host}: ${what}`, { retryable: true, cause }))
    }
    const timer = setTimeout(() => giveUp(`no answer within ${timeoutMilliseconds} ms`), timeoutMilliseconds)
    const session = createSession(socket, options)
    socket.addEventListener("error", (event) => giveUp("refused", event?.error))
    socket.addEventListener("close", () => giveUp("closed"))
    socket.addEventListener("open", () => {
      clearTimeout(timer)
      session.start()
      resolve(session)
    })
  })
}

function createSession(socket: WebSocketLike, options: SocketTransportOptions): SocketSession & { start(): void } {
  const { keepaliveMilliseconds = 20_000, idleMilliseconds = 60_000 } = options
  const streams = new Map<number, StreamState>()
  let lastNumber = 0
  let alive = false
  let heardAt = 0
  let busyAt = 0
  let timer: ReturnType<typeof setInterval> | undefined

  const send = (frame: ClientFrame) => {
    if (alive) socket.send(encode(ClientFrame, frame) as Uint8Array<ArrayBuffer>)
  }

  function end(error: TransportError, closeCode = 1000): void {
    alive = false
    clearInterval(timer)
    for (const stream of streams.values()) stream.finish(error)
    streams.clear()
    socket.close(closeCode)
  }

  function watch(): void {
    const now = performance.now()
    if (streams.size > 0) busyAt = now
    if (now - busyAt > idleMilliseconds) end(lost("idle"))
    else if (now - heardAt > 2 * keepaliveMilliseconds) end(lost("no sign of life"))
    else if (now - heardAt > keepaliveMilliseconds / 2) send({ type: "ping" })
  }

  function receive(frame: ServerFrame): void {
    heardAt = performance.now()
    if (frame.type === "pong") return
    // What was under way when a stream was cancelled finds none.
    const stream = streams.get(frame.stream)
    if (frame.type === "item") {
      stream?.add(frame.body)
      return
    }
    const { type, stream: number } = frame
    const failure = type === "failed" ? new TransportError(frame.reason, { retryable: frame.retryable }) : undefined
    if (number === 0) {
      end(failure ?? lost("closed"))
      return
    }
    streams.delete(number)
    stream?.finish(failure)
  }

  socket.addEventListener("message", (event: { data: unknown }) => {
    if (!alive) return
    try {
      if (!(event.data instanceof ArrayBuffer)) throw new DecodeError("a frame of text", 0)
      receive(decode(ServerFrame, new Uint8Array(event.data)))
    } catch (cause) {
      end(new TransportError("the server does not speak the protocol", { retryable: false, cause }), 4002)
    }
  })
  socket.addEventListener("close", () => alive && end(lost("closed")))
  socket.addEventListener("error", () => alive && end(lost("broken")))

  return {
    get alive() {
      return alive
    },
    start() {
      alive = true
      heardAt = busyAt = performance.now()
      timer = setInterval(watch, Math.min(keepaliveMilliseconds, idleMilliseconds) / 2)
    },
    open({ service, body, credit }) {
      if (!alive) throw lost("closed")
      const number = ++lastNumber
      busyAt = performance.now()
      const stream = new StreamState(credit, {
        grant: (bytes) => send({ type: "credit", stream: number, bytes }),
        cancel: () => streams.delete(number) && send({ type: "cancel", stream: number }),
      })
      streams.set(number, stream)
      send({ type: "open", stream: number, service, credit, body })
      return stream
    },
    close: () => alive && end(new TransportError("the transport is closed", { retryable: false })),
  }
}

const lost = (how: string) => new TransportError(`the socket is gone: ${how}`, { retryable: true })

class StreamState implements ClientStream {
  readonly #items: Uint8Array[] = []
  readonly #line: { grant(bytes: number): void; cancel(): void }
  /** What the server may still send before more is granted; it goes below zero by part of one item. */
  #credit: number
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined

  constructor(credit: number, line: { grant(bytes: number): void; cancel(): void }) {
    this.#credit = credit
    this.#line = line
  }

  async next(): Promise<Uint8Array | undefined> {
    while (this.#items.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const item = this.#items.shift()
    if (item === undefined) {
      if (this.#failure !== undefined) throw this.#failure
      return undefined
    }
    this.#credit += costOf(item)
    if (!this.#ended) this.#line.grant(costOf(item))
    return item
  }

  add(item: Uint8Array): void {
    if (this.#credit <= 0) {
      this.fail(new TransportError("the server sent more than it was allowed", { retryable: true }))
      return
    }
    this.#credit -= costOf(item)
    this.#items.push(item)
    this.#wake?.()
  }

  finish(failure: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#failure = failure
    this.#wake?.()
  }

  cancel(): void {
    this.#line.cancel()
    this.finish(undefined)
  }

  fail(reason: unknown): void {
    this.#items.length = 0
    this.finish(reason)
    this.#line.cancel()
  }
}
