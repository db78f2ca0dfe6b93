import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import { FRAME_OVERHEAD, Holding, SUBPROTOCOL } from "@conclave/transport/parts"
import { type WebSocket, WebSocketServer } from "ws"
import { pause } from "./pause.js"
import { requesterOf } from "./peer.js"
import type { Serving } from "./serving.js"
import { refusedHandshake, type SocketCode } from "./socket-answer.js"
import { GOING_AWAY, SocketStreams } from "./socket-streams.js"
import { type Refused, refusalText } from "./text.js"

/** Bytes of a connection that is to be closed may wait for a client that does not read for so long. */
const FAREWELL_MILLISECONDS = 1000

const HAND_OVER_EVERY_MILLISECONDS = 10

export const SOCKET_PATH = "/socket"

interface Refusal {
  readonly status: string
  readonly code: SocketCode
  readonly reason: string
}

const TOO_MANY: Refusal = {
  status: "503 Service Unavailable",
  code: "tooManySockets",
  reason: "too many sockets of one network, or of all",
}

/** The WebSockets of an endpoint. */
export class SocketListener {
  readonly #serving: Serving
  readonly #server: WebSocketServer
  readonly #pings: NodeJS.Timeout
  readonly #looks: NodeJS.Timeout
  readonly #silent = new WeakSet<WebSocket>()
  readonly #streams = new Set<SocketStreams>()
  #onEmpty: (() => void)[] = []

  constructor(serving: Serving) {
    const { limits } = serving
    this.#serving = serving
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: limits.requestSizeMax + FRAME_OVERHEAD,
      perMessageDeflate: false,
      // Pongs are answers, and counted as such.
      autoPong: false,
      handleProtocols: (protocols) => (protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    })
    this.#pings = setInterval(() => this.#ping(), limits.pingMilliseconds)
    this.#pings.unref()
    this.#looks = setInterval(() => this.#look(), lookEvery(limits))
    this.#looks.unref()
  }

  /** `path`: that of the request, beneath where the endpoint is mounted. */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer, path: string): void {
    socket.on("error", () => socket.destroy())
    const holding = new Holding(this.#serving.shares, requesterOf(request, this.#serving.proxies))
    const refused = this.#refuse(request, path) ?? (holding.take("sockets") ? undefined : TOO_MANY)
    if (refused !== undefined) {
      turnAway(socket, refusedHandshake(request, this.#serving.origins, refused))
      return
    }
    socket.once("close", () => holding[Symbol.dispose]())
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("pong", () => this.#silent.delete(webSocket))
      const streams = new SocketStreams(webSocket, this.#serving, holding)
      this.#streams.add(streams)
      webSocket.once("close", () => {
        this.#streams.delete(streams)
        if (this.#streams.size === 0) for (const resolve of this.#onEmpty.splice(0)) resolve()
      })
      streams.serve(socket)
    })
  }

  /** Says goodbye on every socket. */
  close(): void {
    clearInterval(this.#pings)
    for (const client of this.#server.clients) client.close(GOING_AWAY, "the server is closing")
  }

  /**
   * Closes the sockets that there are, one after the other, evenly over `milliseconds`: their clients come back
   * elsewhere at the same rate. Resolves when all have been told, or the endpoint closes.
   */
  async handOver(milliseconds: number): Promise<void> {
    const sockets = [...this.#streams]
    const begin = performance.now()
    for (let done = 0; done < sockets.length && !this.#serving.closing.aborted; ) {
      const share = milliseconds === 0 ? 1 : Math.min(1, (performance.now() - begin) / milliseconds)
      for (const due = Math.ceil(share * sockets.length); done < due; done++) sockets[done]!.leave()
      if (done < sockets.length) await pause(HAND_OVER_EVERY_MILLISECONDS, this.#serving.closing)
    }
  }

  terminate(): void {
    for (const client of this.#server.clients) client.terminate()
  }

  /** Resolves when no socket is left. */
  async empty(): Promise<void> {
    while (this.#streams.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty.push(resolve)
      })
    }
  }

  /** Resolves when the last socket is closed. */
  async end(): Promise<void> {
    await this.empty()
    clearInterval(this.#looks)
  }

  #ping(): void {
    for (const client of this.#server.clients) {
      if (this.#silent.has(client)) client.terminate()
      else {
        this.#silent.add(client)
        client.ping()
      }
    }
  }

  #look(): void {
    const now = performance.now()
    for (const streams of this.#streams) streams.look(now)
  }

  #refuse(request: IncomingMessage, path: string): Refusal | undefined {
    const { closing, draining, hosts, shares, proxies, origins, turnedAway } = this.#serving
    if (closing.aborted || draining.aborted)
      return { status: "503 Service Unavailable", code: "closing", reason: "the server is closing" }
    if (path !== SOCKET_PATH) {
      return { status: "404 Not Found", code: "notFound", reason: "there is no socket at this path" }
    }
    const unknown = hosts.refuse(request.headers.host)
    if (unknown !== undefined) {
      shares.refused("host", requesterOf(request, proxies))
      turnedAway("host", request)
      return { status: "421 Misdirected Request", code: "hostRefused", reason: unknown }
    }
    // Browsers let a page of any origin open a WebSocket, and say which it is (RFC 6455 §10.2).
    const { origin, host } = request.headers
    if (origin !== undefined && !origins.allows(origin, host)) {
      shares.refused("origin", requesterOf(request, proxies))
      turnedAway("origin", request)
      const reason = "a page of this origin may not open a socket here (see --public-url and --allow-origin)"
      return { status: "403 Forbidden", code: "originRefused", reason }
    }
    return undefined
  }
}

function turnAway(socket: Socket, refused: Refused): void {
  socket.end(refusalText(refused))
  const timer = setTimeout(() => socket.destroy(), FAREWELL_MILLISECONDS)
  socket.once("close", () => clearTimeout(timer))
}

/** Often enough that no time is exceeded by more than a quarter. */
function lookEvery(limits: Serving["limits"]): number {
  const { messageTimeoutMilliseconds, firstStreamTimeoutMilliseconds, unreadTimeoutMilliseconds } = limits
  const shortest = Math.min(messageTimeoutMilliseconds, firstStreamTimeoutMilliseconds, unreadTimeoutMilliseconds)
  return Math.min(Math.max(shortest / 4, 10), 5000)
}
