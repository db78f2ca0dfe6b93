import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { Socket } from "node:net"

export interface IgnoringUpgrade {
  /** Takes a request with an `Upgrade` header from Node's `upgrade` event; returns whether it is served as any other. */
  take(request: IncomingMessage, socket: Socket, head: Buffer): boolean
  /** Whether a request of Node's `request` event, each asked about once, is to be served: not behind the last of its connection. */
  serves(request: IncomingMessage): boolean
}

/**
 * Serves requests that ask for another protocol than WebSocket as if they did not ask (RFC 9110 §7.8), such as the `h2c` of
 * curl. Node hands over the bare connection of each request with `Upgrade` and `Connection: upgrade`, so the request is
 * read once more, without the two. It is the last one of the connection: what comes behind it is not carried out
 * (RFC 9112 §9.6).
 *
 * Call it before others listen for `connection`.
 */
export function ignoringUpgrade(server: Server): IgnoringUpgrade {
  const serveHttp = server.listeners("connection") as ((socket: Socket) => void)[]
  const lastAnswers = new WeakMap<Socket, ServerResponse>()
  const readAgain = new WeakSet<Socket>()
  const ended = new WeakSet<Socket>()
  // Node leaves out headers beyond a number, such as the length of the body; the size of the head is limited all the same.
  server.maxHeadersCount = 0
  server.on("request", ({ socket }, response) => {
    lastAnswers.set(socket, response)
    if (readAgain.has(socket)) response.shouldKeepAlive = false
  })

  const serves = ({ socket }: IncomingMessage) => {
    if (!readAgain.has(socket)) return true
    if (ended.has(socket)) {
      socket.pause()
      return false
    }
    ended.add(socket)
    return true
  }

  const take = (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const protocols = (request.headers.upgrade ?? "").split(",").map((it) => it.trim().toLowerCase())
    if (protocols.some((it) => it === "websocket" || it.startsWith("websocket/"))) return false
    // Node has taken its own listener off.
    const onError = () => socket.destroy()
    socket.on("error", onError)
    // The connection ends with the answer before this request.
    if (readAgain.has(socket)) return true
    readAgain.add(socket)
    const serveAgain = () => {
      if (!socket.writable) return socket.destroy()
      socket.off("error", onError)
      socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]))
      for (const serve of serveHttp) serve.call(server, socket)
      return socket
    }
    // A client need not wait for one answer before it sends the next request (RFC 9112 §9.3.2).
    const before = lastAnswers.get(socket)
    if (before === undefined || before.writableFinished || before.destroyed) serveAgain()
    else before.once("close", serveAgain)
    return true
  }
  return { take, serves }
}

/** Of hop-by-hop headers, those for another protocol are dropped with the `Connection` that names them. */
const DROPPED = new Set(["upgrade", "connection", "http2-settings"])

function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (!DROPPED.has(rawHeaders[at]!.toLowerCase())) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  }
  return Buffer.from([...lines, "", ""].join("\r\n"), "latin1")
}
