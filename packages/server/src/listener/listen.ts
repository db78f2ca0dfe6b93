import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Shares } from "@conclave/transport"
import { admitConnections } from "./connections.js"
import { Hosts } from "./hosts.js"
import { answerOffer } from "./offer.js"
import { requesterOf, seemsForwarded, TrustedProxies } from "./peer.js"
import { answerRequest, mayStream, mediaTypesOf } from "./request.js"
import type { ListenLimits, ListenOptions, Serving } from "./serving.js"
import { SocketListener } from "./socket.js"
import { openStaticFiles, type StaticFiles } from "./static-files.js"
import { contentSecurity, refusalText, sendText } from "./text.js"

export interface Listener extends AsyncDisposable {
  /** `http://localhost:8080/`, with the port that was really taken. */
  readonly url: URL
  /** Takes no more connections, ends streams, and waits for requests that are under way. */
  close(): Promise<void>
}

/** Connections that wait to be accepted: those of a flood must not crowd out the others. The system may allow fewer. */
const BACKLOG = 4096
const DEFAULT_HOST = "localhost"

const defaultLimits: ListenLimits = {
  requestSizeMax: 4 * 1024 * 1024,
  connectionsMax: 10_000,
  streamsPerSocketMax: 64,
  headTimeoutMilliseconds: 10_000,
  answerTimeoutMilliseconds: 30_000,
  pingMilliseconds: 30_000,
  messageTimeoutMilliseconds: 30_000,
  firstStreamTimeoutMilliseconds: 30_000,
  idleTimeoutMilliseconds: 120_000,
  unsentPerSocketMax: 1024 * 1024,
  unreadTimeoutMilliseconds: 30_000,
  controlFramesPerSecondMax: 100,
  closeTimeoutMilliseconds: 5_000,
}

/**
 * Serves services and files over HTTP, and services over WebSocket at `/socket`. Whatever arrives gets a readable
 * answer. Rejects where the address cannot be taken (the system's error, for example `EADDRINUSE`) or `static` is no
 * folder.
 *
 * @throws {TypeError} when `mediaTypes` has one that a page of any origin may send.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  options.signal?.throwIfAborted()
  const limits = { ...defaultLimits, ...options.limits }
  const onError = options.onError ?? (() => {})
  const closing = new AbortController()
  const { services, offer } = options
  const mediaTypes = mediaTypesOf(options.mediaTypes)
  const proxies = new TrustedProxies(options.trustedProxies)
  const hosts = new Hosts(options.host ?? DEFAULT_HOST, options.hosts)
  const shares = options.shares ?? new Shares({ connectionsMax: limits.connectionsMax, ...pick(options) })
  const hint = once(options.onUntrustedProxy ?? (() => {}))
  const shared = { services, mediaTypes, offer, limits, onError, proxies, hosts, shares, hint, closing: closing.signal }
  const files = options.static === undefined ? undefined : await openStaticFiles(options.static)
  const sockets = new SocketListener(shared)
  const server = createServer({
    headersTimeout: limits.headTimeoutMilliseconds,
    requestTimeout: 3 * limits.headTimeoutMilliseconds,
    connectionsCheckingInterval: Math.max(limits.headTimeoutMilliseconds / 4, 50),
    keepAliveTimeout: 65_000,
  })
  admitConnections(server, shared)
  server.on("request", (request, response) => {
    route(request, response, { ...shared, files }).catch((error: unknown) => {
      onError(error)
      sendText(response, 500, "the server failed; it is not the request's fault")
    })
  })
  server.on("upgrade", (request, socket, head) => sockets.upgrade(request, socket as Socket, head))
  server.on("clientError", answerClientError)
  const url = await bind(server, options)
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= closeGracefully({ server, sockets, closing, timeoutMilliseconds: limits.closeTimeoutMilliseconds })
    return closed
  }
  options.signal?.addEventListener("abort", () => void close(), { once: true })
  return { url, close, [Symbol.asyncDispose]: close }
}

async function route(
  request: IncomingMessage,
  response: ServerResponse,
  serving: Serving & { readonly files: StaticFiles | undefined },
): Promise<void> {
  for (const [name, value] of contentSecurity) response.setHeader(name, value)
  const unknown = serving.hosts.refuse(request.headers.host)
  if (unknown !== undefined) {
    serving.shares.refused("host", requesterOf(request, serving.proxies))
    return sendText(response, 421, unknown)
  }
  if (!serving.proxies.any && seemsForwarded(request)) serving.hint()
  const path = (request.url ?? "").split("?", 1)[0]!
  const service = Object.hasOwn(serving.services, path.slice(1)) ? serving.services[path.slice(1)] : undefined
  if (service !== undefined) return answerRequest(request, response, { ...serving, service })
  if (path === "/socket") {
    response.setHeader("upgrade", "websocket")
    return sendText(response, 426, "this path takes WebSockets only")
  }
  if (path === "/fast-open" && serving.offer !== undefined)
    return answerOffer(request, response, { ...serving, offer: serving.offer })
  if (serving.files === undefined) return sendText(response, 404, "there is nothing at this path")
  return serving.files.answer(request, response, {
    path,
    mayAnswer: (size) => mayStream(request, response, { ...serving, size }),
  })
}

function answerClientError(error: Error & { code?: string }, socket: Socket | import("node:stream").Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, reason]: [string, string] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? ["431 Request Header Fields Too Large", "the head of the request is too long"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ["408 Request Timeout", "the request took too long to arrive"]
        : ["400 Bad Request", "this is not HTTP"]
  socket.end(refusalText({ status, reason }))
}

function bind(server: Server, { host = DEFAULT_HOST, port = 0 }: ListenOptions): Promise<URL> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off("error", reject)
      const { port: taken } = server.address() as AddressInfo
      resolve(new URL(`http://${host.includes(":") ? `[${host}]` : host}:${taken}/`))
    })
  })
}

interface Closing {
  readonly server: Server
  readonly sockets: SocketListener
  readonly closing: AbortController
  readonly timeoutMilliseconds: number
}

async function closeGracefully({ server, sockets, closing, timeoutMilliseconds }: Closing): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()))
  closing.abort()
  sockets.close()
  server.closeIdleConnections()
  const timer = setTimeout(() => {
    sockets.terminate()
    server.closeAllConnections()
  }, timeoutMilliseconds)
  await done
  clearTimeout(timer)
  sockets.end()
}

const pick = ({ onRefusal }: ListenOptions) => (onRefusal === undefined ? {} : { onRefusal })

function once(tell: () => void): () => void {
  let told = false
  return () => {
    if (!told) tell()
    told = true
  }
}
