import type { Socket } from "node:net"
import { DecodeError, decode, encode } from "@conclave/codec"
import { CHUNK_COST, ClientFrame, type Holding, ServerFrame } from "@conclave/transport/parts"
import type { WebSocket } from "ws"
import { FrameMeter } from "./frame-meter.js"
import { Outbox } from "./outbox.js"
import type { Serving } from "./serving.js"
import { ServerStream } from "./stream.js"

/**
 * What is received at a time. A socket that is cut in the middle of a chunk costs no more than this: 64 KiB of pings
 * would be five milliseconds' work.
 */
const PIECE_SIZE = 8192

/** RFC 6455 §7.4.1. */
export const GOING_AWAY = 1001

/** How long requests on a socket that is handed over may take to be answered. */
const LEAVING_MILLISECONDS = 1_000

/** A client has less reason for pings than for streams that are refused. */
const PING_COST = 5

/** One WebSocket, from its opening until it is closed: its streams, and what it costs. */
export class SocketStreams {
  readonly #socket: WebSocket
  readonly #serving: Serving
  readonly #holding: Holding
  readonly #outbox: Outbox
  readonly #meter = new FrameMeter()
  readonly #streams = new Map<number, ServerStream>()
  #lastNumber = 0
  /** Bytes of a half-received message that are counted. */
  #received = 0
  /** When the message under way began. */
  #begunAt: number | undefined
  /** When the socket was opened, or its last stream ended. */
  #idleSince = performance.now()
  /** Frames that ask for an answer and for no work, in the second since then. */
  #control = 0
  #controlSince = 0
  #leaving: NodeJS.Timeout | undefined

  /** `holding` is given back when the socket is closed. */
  constructor(socket: WebSocket, serving: Serving, holding: Holding) {
    this.#socket = socket
    this.#serving = serving
    this.#holding = holding
    this.#outbox = new Outbox(socket, holding, serving.limits)
  }

  /** Answers what arrives until the socket is closed. `line`: what it was made of, before anything is read from it. */
  serve(line: Socket): void {
    const socket = this.#socket
    this.#outbox.over(line)
    const receivers = line.listeners("data") as ((chunk: Buffer) => void)[]
    line.removeAllListeners("data")
    line.on("data", (chunk: Buffer) => {
      for (let at = 0; at < chunk.length && !line.destroyed; at += PIECE_SIZE) {
        const piece = chunk.length <= PIECE_SIZE ? chunk : chunk.subarray(at, at + PIECE_SIZE)
        this.#measure(piece)
        if (!line.destroyed) for (const receive of receivers) receive.call(line, piece)
      }
    })
    socket.binaryType = "nodebuffer"
    socket.on("message", (message: Buffer, binary: boolean) => {
      if (socket.readyState === socket.OPEN) this.#receive(message, binary)
    })
    socket.on("ping", (content: Buffer) => this.#outbox.pong((sent) => socket.pong(content, false, sent)))
    // `ws` has closed the socket with a code that says why: too long, not masked, not a frame.
    socket.on("error", () => {})
    socket.on("close", () => this.#end())
  }

  /** Cuts a socket that has exceeded one of its times. */
  look(now: number): void {
    const { messageTimeoutMilliseconds, firstStreamTimeoutMilliseconds, idleTimeoutMilliseconds } = this.#serving.limits
    const idleMax = this.#lastNumber === 0 ? firstStreamTimeoutMilliseconds : idleTimeoutMilliseconds
    if (this.#outbox.isStuck(now)) this.#outbox.cut()
    else if (this.#begunAt !== undefined && now - this.#begunAt > messageTimeoutMilliseconds) this.#cut("slow")
    else if (this.#streams.size === 0 && now - this.#idleSince > idleMax) this.#cut("idle")
  }

  /** Closes the socket, as soon as no request on it waits for an answer, and a second later at the latest. */
  leave(): void {
    this.#leaving ??= setTimeout(() => this.#goAway(), LEAVING_MILLISECONDS)
    this.#goAwayIfAnswered()
  }

  #goAwayIfAnswered(): void {
    const isWaiting = [...this.#streams.values()].some(({ isAnswered }) => !isAnswered)
    if (this.#leaving !== undefined && !isWaiting) this.#goAway()
  }

  #goAway(): void {
    clearTimeout(this.#leaving)
    this.#socket.close(GOING_AWAY, "the server is closing")
  }

  #cut(kind: "slow" | "idle" | "control"): void {
    this.#holding.refused(kind)
    this.#socket.terminate()
  }

  #measure(chunk: Buffer): void {
    const wasPending = this.#received > 0
    this.#meter.add(chunk)
    const { pending, controlFrames } = this.#meter
    if (controlFrames > 0) {
      this.#meter.controlFrames = 0
      this.#countControl(controlFrames * PING_COST)
    }
    if (pending === 0) this.#begunAt = undefined
    else if (!wasPending || pending < this.#received) this.#begunAt = performance.now()
    if (pending === this.#received) return
    // What is less now has come to an end in this chunk.
    if (this.#received > 0) this.#holding.give("received", this.#received)
    this.#received = 0
    if (pending === 0) return
    if (this.#holding.take("received", pending)) this.#received = pending
    else this.#socket.terminate()
  }

  /** Frames that make an answer without any work are cheap to send: more than a client has reason for are cut off. */
  #countControl(count = 1): boolean {
    const now = performance.now()
    if (now - this.#controlSince > 1000) {
      this.#control = 0
      this.#controlSince = now
    }
    this.#control += count
    if (this.#control <= this.#serving.limits.controlFramesPerSecondMax) return true
    if (this.#socket.readyState === this.#socket.OPEN) this.#cut("control")
    return false
  }

  #receive(message: Buffer, binary: boolean): void {
    try {
      if (!binary) throw new DecodeError("frames are binary", 0)
      this.#follow(decode(ClientFrame, message))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#breakOff(`malformed frame: ${error.message}`)
    }
  }

  #end(): void {
    clearTimeout(this.#leaving)
    for (const stream of this.#streams.values()) stream.cancel()
    this.#outbox.end()
    this.#holding[Symbol.dispose]()
  }

  #follow(frame: ClientFrame): void {
    if (frame.type === "ping") this.#pong()
    else if (frame.type === "open") this.#open(frame)
    // A stream that has ended meanwhile is no mistake: the client could not know.
    else if (frame.stream > this.#lastNumber) this.#breakOff(`stream ${frame.stream} was never opened`)
    else if (frame.type === "cancel") this.#streams.get(frame.stream)?.cancel()
    else this.#streams.get(frame.stream)?.grant(frame.bytes)
  }

  #pong(): void {
    if (!this.#countControl(PING_COST)) return
    this.#outbox.pong((sent) => this.#socket.send(encode(ServerFrame, { type: "pong" }), sent))
  }

  #open(frame: ClientFrame & { type: "open" }): void {
    const { services, limits } = this.#serving
    const service = Object.hasOwn(services, frame.service) ? services[frame.service] : undefined
    if (frame.stream <= this.#lastNumber) {
      this.#breakOff(`stream ${frame.stream} is not a new one`)
      return
    }
    this.#lastNumber = frame.stream
    if (service === undefined) {
      this.#refuse(frame.stream, { reason: "there is no such service", retryable: false })
    } else if (this.#streams.size >= limits.streamsPerSocketMax) {
      const reason = `a socket carries at most ${limits.streamsPerSocketMax} streams`
      this.#refuse(frame.stream, { reason, retryable: true })
    } else if (!this.#holding.take("streams")) {
      this.#refuse(frame.stream, { reason: "too many streams of one network, or of all", retryable: true })
    } else {
      this.#run(frame, service)
    }
  }

  #run({ stream: number, credit, body }: ClientFrame & { type: "open" }, service: Serving["services"][string]): void {
    const cost = body.length + CHUNK_COST
    if (!this.#holding.take("received", cost)) {
      this.#holding.give("streams")
      this.#refuse(number, { reason: "too many bytes of requests at a time", retryable: true })
      return
    }
    const stream = new ServerStream(number, {
      credit,
      requester: this.#holding.requester,
      room: () => this.#outbox.room(),
      send: (answer) => this.#outbox.send(encode(ServerFrame, answer)),
      onError: this.#serving.onError,
      onAnswered: () => this.#goAwayIfAnswered(),
    })
    this.#streams.set(number, stream)
    stream.run(service!, body).finally(() => {
      this.#streams.delete(number)
      this.#holding.give("received", cost)
      this.#holding.give("streams")
      this.#idleSince = performance.now()
      this.#goAwayIfAnswered()
    })
  }

  #refuse(stream: number, { reason, retryable }: { readonly reason: string; readonly retryable: boolean }): void {
    if (!this.#countControl()) return
    this.#outbox.sendQuietly(encode(ServerFrame, { type: "failed", stream, reason, retryable }))
  }

  /** After something that no client of the protocol sends. */
  #breakOff(reason: string): void {
    this.#refuse(0, { reason, retryable: false })
    this.#socket.close(4002, reason.slice(0, 100))
  }
}
