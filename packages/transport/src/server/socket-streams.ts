import { DecodeError, decode, encode } from "@conclave/codec"
import type { WebSocket } from "ws"
import { ClientFrame, ServerFrame } from "../frames.js"
import type { Requester } from "../shares.js"
import type { Serving } from "./listen.js"
import { ServerStream } from "./stream.js"

/** Answers what arrives on one WebSocket until it is closed. */
export function serveSocket(socket: WebSocket, serving: Serving, requester: Requester | undefined): void {
  const streams = new SocketStreams(socket, serving, requester)
  socket.binaryType = "nodebuffer"
  socket.on("message", (message: Buffer, binary: boolean) => {
    if (socket.readyState === socket.OPEN) streams.receive(message, binary)
  })
  // `ws` has closed the socket with a code that says why: too long, not masked, not a frame.
  socket.on("error", () => {})
  socket.on("close", () => streams.end())
}

class SocketStreams {
  readonly #socket: WebSocket
  readonly #serving: Serving
  readonly #requester: Requester | undefined
  readonly #streams = new Map<number, ServerStream>()
  #lastNumber = 0

  constructor(socket: WebSocket, serving: Serving, requester: Requester | undefined) {
    this.#socket = socket
    this.#serving = serving
    this.#requester = requester
  }

  receive(message: Buffer, binary: boolean): void {
    try {
      if (!binary) throw new DecodeError("frames are binary", 0)
      this.#follow(decode(ClientFrame, message))
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      this.#breakOff(`malformed frame: ${error.message}`)
    }
  }

  end(): void {
    for (const stream of this.#streams.values()) stream.cancel()
  }

  #follow(frame: ClientFrame): void {
    if (frame.type === "ping") this.#sendQuietly({ type: "pong" })
    else if (frame.type === "open") this.#open(frame)
    // A stream that has ended meanwhile is no mistake: the client could not know.
    else if (frame.stream > this.#lastNumber) this.#breakOff(`stream ${frame.stream} was never opened`)
    else if (frame.type === "cancel") this.#streams.get(frame.stream)?.cancel()
    else this.#streams.get(frame.stream)?.grant(frame.bytes)
  }

  #open(frame: ClientFrame & { type: "open" }): void {
    const { services, limits, onError } = this.#serving
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
    } else {
      const stream = new ServerStream(frame.stream, {
        credit: frame.credit,
        requester: this.#requester,
        send: (answer) => this.#send(answer),
        onError,
      })
      this.#streams.set(frame.stream, stream)
      stream.run(service, frame.body).finally(() => this.#streams.delete(frame.stream))
    }
  }

  #refuse(stream: number, { reason, retryable }: { readonly reason: string; readonly retryable: boolean }): void {
    this.#sendQuietly({ type: "failed", stream, reason, retryable })
  }

  /** After something that no client of the protocol sends. */
  #breakOff(reason: string): void {
    this.#refuse(0, { reason, retryable: false })
    this.#socket.close(4002, reason.slice(0, 100))
  }

  /** Resolves when the frame has been handed to the operating system. */
  #send(frame: ServerFrame): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(encode(ServerFrame, frame), (error) => (error ? reject(error) : resolve()))
    })
  }

  #sendQuietly(frame: ServerFrame): void {
    this.#send(frame).catch(() => this.#socket.terminate())
  }
}
