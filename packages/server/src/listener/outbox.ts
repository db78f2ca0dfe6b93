import type { Socket } from "node:net"
import { CHUNK_COST, type Holding, readingTime } from "@conclave/transport/parts"
import type { WebSocket } from "ws"

/** What a frame that waits to be sent costs beside its bytes, in `ws` and in Node. */
const FRAME_COST = 2 * CHUNK_COST

export interface OutboxLimits {
  /** Bytes that may wait before the streams of the socket do. */
  readonly unsentPerSocketMax: number
  /** How long a client may take nothing of what waits; it has more time for more bytes. */
  readonly unreadTimeoutMilliseconds: number
}

/** The client has left, or was cut: nobody's fault that could be told. */
export class SocketGone extends Error {
  override readonly name = "SocketGone"
}

/**
 * What is on its way out of one WebSocket, counted against its requester's share. A client that reads too little is
 * cut, which frees the memory at once.
 */
export class Outbox {
  readonly #socket: WebSocket
  #line: Socket | undefined
  readonly #holding: Holding
  readonly #limits: OutboxLimits
  readonly #waiting = new Set<() => void>()
  #unsent = 0
  /** When bytes were last taken, or the first one began to wait. */
  #movedAt = 0
  #pongs = 0

  constructor(socket: WebSocket, holding: Holding, limits: OutboxLimits) {
    this.#socket = socket
    this.#holding = holding
    this.#limits = limits
  }

  /** What the socket was made of. */
  over(line: Socket): void {
    this.#line = line
  }

  /** Resolves when the frame has been handed to the operating system. Rejects where the socket is gone. */
  send(frame: Uint8Array): Promise<void> {
    return this.#put(frame.length, (sent) => this.#socket.send(frame, sent))
  }

  /** For an answer that no stream waits for: cuts the client that lets them pile up. */
  sendQuietly(frame: Uint8Array): void {
    if (this.#unsent >= this.#limits.unsentPerSocketMax) this.cut()
    else this.send(frame).catch(() => this.#socket.terminate())
  }

  /** Answers a ping by `pong`, and those that come before that one has left by the same: RFC 6455 §5.5.3. */
  pong(pong: (sent: (error?: Error) => void) => void): void {
    if (this.#pongs > 0) return
    this.#pongs++
    this.#put(CHUNK_COST, pong)
      .catch(() => this.#socket.terminate())
      .finally(() => this.#pongs--)
  }

  /** Resolves when a stream may ask for its next item: at once where little waits. */
  async room(): Promise<void> {
    while (this.#unsent >= this.#limits.unsentPerSocketMax && this.#socket.readyState === this.#socket.OPEN) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve))
    }
  }

  /** Whether the client has taken nothing for too long. */
  isStuck(now: number): boolean {
    const patience = readingTime(this.#unsent, this.#limits.unreadTimeoutMilliseconds)
    return this.#unsent > 0 && now - this.#movedAt > patience
  }

  cut(): void {
    this.#holding.refused("unread")
    this.#socket.terminate()
  }

  /** Lets go whoever waits for room. */
  end(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  #put(length: number, write: (sent: (error?: Error | null) => void) => void): Promise<void> {
    const cost = length + FRAME_COST
    if (!this.#holding.take("unsent", cost)) {
      this.#socket.terminate()
      return Promise.reject(new SocketGone("the client does not read"))
    }
    if (this.#unsent === 0) this.#movedAt = performance.now()
    this.#unsent += cost
    if (this.#line !== undefined) leaveTogether(this.#line)
    return new Promise((resolve, reject) => {
      write((error) => {
        this.#unsent -= cost
        this.#movedAt = performance.now()
        this.#holding.give("unsent", cost)
        if (this.#unsent < this.#limits.unsentPerSocketMax) this.end()
        if (error) reject(new SocketGone("the client has left", { cause: error }))
        else resolve()
      })
    })
  }
}

const corked = new Set<Socket>()

/** What is written to a connection within a turn of the event loop is handed to the operating system in one call. */
function leaveTogether(line: Socket): void {
  if (corked.has(line)) return
  line.cork()
  if (corked.add(line).size === 1) setImmediate(uncorkAll)
}

function uncorkAll(): void {
  for (const line of corked) line.uncork()
  corked.clear()
}
