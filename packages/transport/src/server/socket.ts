import type { IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import { type WebSocket, WebSocketServer } from "ws"
import { FRAME_OVERHEAD, SUBPROTOCOL } from "../frames.js"
import type { Serving } from "./listen.js"
import { requesterOf } from "./peer.js"
import { serveSocket } from "./socket-streams.js"

/** The WebSockets of a listener. */
export class SocketListener {
  readonly #serving: Serving
  readonly #server: WebSocketServer
  readonly #pings: NodeJS.Timeout
  readonly #silent = new WeakSet<WebSocket>()

  constructor(serving: Serving) {
    this.#serving = serving
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: serving.limits.requestSizeMax + FRAME_OVERHEAD,
      perMessageDeflate: false,
      handleProtocols: (protocols) => (protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    })
    this.#pings = setInterval(() => this.#ping(), serving.limits.pingMilliseconds)
    this.#pings.unref()
  }

  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on("error", () => socket.destroy())
    const refusal = refuse(request)
    if (refusal !== undefined || this.#serving.closing.aborted) {
      socket.end(refusalText(refusal ?? { status: "503 Service Unavailable", reason: "the server is closing" }))
      return
    }
    const requester = requesterOf(request, this.#serving.proxies)
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("pong", () => this.#silent.delete(webSocket))
      serveSocket(webSocket, this.#serving, requester)
    })
  }

  /** Says goodbye on every socket. */
  close(): void {
    clearInterval(this.#pings)
    for (const client of this.#server.clients) client.close(1001, "the server is closing")
  }

  terminate(): void {
    for (const client of this.#server.clients) client.terminate()
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
}

interface Refusal {
  readonly status: string
  readonly reason: string
}

function refuse(request: IncomingMessage): Refusal | undefined {
  if ((request.url ?? "").split("?", 1)[0] !== "/socket") {
    return { status: "404 Not Found", reason: "there is no socket at this path" }
  }
  // Browsers let a page of any origin open a WebSocket, and say which it is (RFC 6455 §10.2).
  const { origin, host } = request.headers
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)) {
    return { status: "403 Forbidden", reason: "a page of another origin may not open a socket here" }
  }
  return undefined
}

function refusalText({ status, reason }: Refusal): string {
  return (
    `HTTP/1.1 ${status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${reason.length + 1}\r\n` +
    `connection: close\r\n\r\n${reason}\n`
  )
}
