import { DecodeError, decode, encode } from "@conclave/codec"
import { ClientFrame, costOf, ServerFrame } from "./frames.js"
import { TransportError } from "./seam.js"
import type { SocketTransportOptions, WebSocketLike } from "./socket-options.js"
import { platformTimers, type Timers } from "./timers.js"

/** One WebSocket from opening to its end, and the streams on it. */
export interface SocketSession {
  readonly alive: boolean
  /** How long the server has not been heard, in milliseconds. */
  readonly silence: number
  /** It has ended because a ping was not answered. */
  readonly isUnanswered: boolean
  /** A ping has been answered. */
  readonly hasAnswered: boolean
  /** For how long nothing had come when the socket was closed from elsewhere, in milliseconds. */
  readonly cutAfter: number | undefined
  /** Throws {@link TransportError} when the socket is gone. `credit`: see `frames.ts`. */
  open(request: { readonly service: string; readonly body: Uint8Array; readonly credit: number }): ClientStream
  /** Pings. Resolves with whether the server was heard; where it was not within so long, the socket has been given up. */
  probe(milliseconds: number): Promise<boolean>
  close(): void
}

/** A socket that is being opened. */
export interface OpeningSession {
  /** Rejects with a retryable {@link TransportError} if there is no open socket in time. */
  readonly opened: Promise<SocketSession>
  /** Gives it up, unless it is open. */
  abandon(): void
}

export interface ClientStream {
  /** The next item, `undefined` at the end; rejects when the stream or the socket fails. */
  next(): Promise<Uint8Array | undefined>
  /** Tells the server that nothing more is wanted. Does nothing after the end. */
  cancel(): void
  /** Ends the stream for its reader with `reason`, and cancels it. */
  fail(reason: unknown): void
}

/** A timer that fires so much later than it was to: the tab is throttled, or the process or the machine has slept. */
const LATE_MILLISECONDS = 2_000
/** A clock that has jumped is seen after so long. */
const LOOK_MILLISECONDS = 5_000

/** WebSocket.OPEN, in browsers and `ws`. */
const OPEN = 1
/** RFC 6455 §7.4.1. */
const GOING_AWAY = 1001

export function openSession(options: SocketTransportOptions): OpeningSession {
  const { url, createSocket, timeoutMilliseconds = 30_000, timers = platformTimers } = options
  const openMilliseconds = Math.min(options.openMilliseconds ?? 15_000, timeoutMilliseconds)
  let abandon = () => {}
  const opened = new Promise<SocketSession>((resolve, reject) => {
    const socket = createSocket(url)
    socket.binaryType = "arraybuffer"
    const giveUp = (what: string, cause?: unknown) => {
      cancel()
      socket.close()
      reject(new TransportError(`cannot open a socket to ${url.host}: ${what}`, { retryable: true, cause }))
    }
    const cancel = timers.after(openMilliseconds, () => giveUp(`no answer within ${openMilliseconds} ms`))
    const session = createSession(socket, { ...options, timers })
    abandon = () => session.alive || giveUp("another one is tried")
    socket.addEventListener("error", (event) => giveUp("refused", event?.error))
    socket.addEventListener("close", () => giveUp("closed"))
    socket.addEventListener("open", () => {
      cancel()
      session.start()
      resolve(session)
    })
  })
  return { opened, abandon: () => abandon() }
}

function createSession(
  socket: WebSocketLike,
  options: SocketTransportOptions & { readonly timers: Timers },
): SocketSession & { start(): void } {
  const { keepaliveMilliseconds = 15_000, idleMilliseconds = 60_000, timers } = options
  const pongMilliseconds = options.pongMilliseconds ?? keepaliveMilliseconds / 2
  const streams = new Map<number, StreamState>()
  let lastNumber = 0
  let alive = false
  let heardAt = 0
  /** A stream was opened, or the last one ended. */
  let busyAt = 0
  /** A ping that was not answered yet; `isSecond`: it was sent because the time of the first was slept through. */
  let pinged: { deadline: number; readonly isSecond: boolean } | undefined
  let isUnanswered = false
  let hasAnswered = false
  let cutAfter: number | undefined
  let probing: ((heard: boolean) => void)[] = []
  let cancelWatch = () => {}
  /** When the timer is to fire, as the clock shows that goes on while the machine sleeps. */
  let watchAt = 0

  // One that the server has begun to close takes nothing any more, and says so to its listeners only when it is closed.
  const isOpen = () => alive && socket.readyState === OPEN
  const send = (frame: ClientFrame) => {
    if (alive) socket.send(encode(ClientFrame, frame) as Uint8Array<ArrayBuffer>)
  }

  function end(error: TransportError, closeCode = 1000): void {
    alive = false
    cancelWatch()
    for (const stream of streams.values()) stream.finish(error)
    streams.clear()
    answerProbes(false)
    socket.close(closeCode)
  }

  function answerProbes(heard: boolean): void {
    const waiting = probing
    probing = []
    for (const resolve of waiting) resolve(heard)
  }

  function ping(milliseconds: number, isSecond = false): void {
    pinged = { deadline: timers.elapsed() + milliseconds, isSecond }
    send({ type: "ping" })
  }

  /**
   * A socket is given up for a ping that was not answered, and for nothing else: how long it has been silent says nothing
   * where timers fire once a minute. What fires late judges no ping either, as the answer may wait to be read.
   */
  function watch(): void {
    const now = timers.elapsed()
    const isLate = timers.now() - watchAt > LATE_MILLISECONDS
    const isOverdue = pinged !== undefined && now >= pinged.deadline
    if (streams.size === 0 && now - busyAt >= idleMilliseconds) end(lost("idle"))
    else if (isOverdue && (!isLate || pinged?.isSecond)) {
      isUnanswered = true
      end(lost("no sign of life"))
    } else if (isOverdue) ping(pongMilliseconds, true)
    else if (pinged === undefined && (isLate || now - heardAt >= keepaliveMilliseconds)) ping(pongMilliseconds)
    if (alive) schedule()
  }

  function schedule(): void {
    cancelWatch()
    const idleAt = streams.size === 0 ? busyAt + idleMilliseconds : Number.POSITIVE_INFINITY
    const due = Math.min(idleAt, pinged?.deadline ?? heardAt + keepaliveMilliseconds)
    // While a ping is under way, its answer may be followed by silence for as long as the next one waits.
    const pause = Math.min(LOOK_MILLISECONDS, keepaliveMilliseconds, Math.max(0, due - timers.elapsed()))
    watchAt = timers.now() + pause
    cancelWatch = timers.after(pause, watch)
  }

  function heard(): void {
    heardAt = timers.elapsed()
    pinged = undefined
    answerProbes(true)
  }

  function forget(number: number): boolean {
    busyAt = timers.elapsed()
    return streams.delete(number)
  }

  function receive(frame: ServerFrame): void {
    heard()
    if (frame.type === "pong") {
      hasAnswered = true
      return
    }
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
    forget(number)
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
  const cut = (how: string) => {
    if (!alive) return
    cutAfter = timers.elapsed() - heardAt
    end(lost(how))
  }
  socket.addEventListener("close", (event?: { readonly code?: number }) => {
    if (alive && event?.code === GOING_AWAY) end(lost("handed over", true))
    else cut("closed")
  })
  socket.addEventListener("error", () => cut("broken"))

  return {
    get alive() {
      return isOpen()
    },
    get silence() {
      return timers.elapsed() - heardAt
    },
    get isUnanswered() {
      return isUnanswered
    },
    get hasAnswered() {
      return hasAnswered
    },
    get cutAfter() {
      return cutAfter
    },
    start() {
      alive = true
      heardAt = busyAt = timers.elapsed()
      schedule()
    },
    open({ service, body, credit }) {
      if (!isOpen()) throw lost("closed")
      const number = ++lastNumber
      busyAt = timers.elapsed()
      const stream = new StreamState(credit, {
        grant: (bytes) => send({ type: "credit", stream: number, bytes }),
        cancel: () => forget(number) && send({ type: "cancel", stream: number }),
      })
      streams.set(number, stream)
      send({ type: "open", stream: number, service, credit, body })
      return stream
    },
    probe(milliseconds) {
      if (!alive) return Promise.resolve(false)
      const now = timers.elapsed()
      // A ping from before a sleep is not judged now.
      if (pinged === undefined || pinged.deadline <= now) ping(milliseconds)
      else pinged.deadline = Math.min(pinged.deadline, now + milliseconds)
      schedule()
      return new Promise((resolve) => {
        probing.push(resolve)
      })
    },
    close: () => alive && end(new TransportError("the transport is closed", { retryable: false })),
  }
}

const lost = (how: string, isHandedOver = false) =>
  new TransportError(`the socket is gone: ${how}`, { retryable: true, isHandedOver })

class StreamState implements ClientStream {
  readonly #items: Uint8Array[] = []
  readonly #line: { grant(bytes: number): void; cancel(): void }
  /** What the server may still send before more is granted; it goes below zero by part of one item. */
  #credit: number
  /** Half of the credit at first: the server never waits for what the reader has taken, and few answers need a frame more. */
  readonly #grantedAtOnce: number
  /** By the reader, and not granted again yet. */
  #taken = 0
  #ended = false
  #failure: unknown
  #wake: (() => void) | undefined

  constructor(credit: number, line: { grant(bytes: number): void; cancel(): void }) {
    this.#credit = credit
    this.#grantedAtOnce = credit / 2
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
    this.#taken += costOf(item)
    if (!this.#ended && this.#taken >= this.#grantedAtOnce) this.#grant()
    return item
  }

  #grant(): void {
    this.#credit += this.#taken
    this.#line.grant(this.#taken)
    this.#taken = 0
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
