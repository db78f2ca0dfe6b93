/// <reference lib="esnext.disposable" preserve="true" />
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { Shares } from "@conclave/transport"
import { admitConnections } from "./connections.js"
import { type Asked, Endpoint } from "./endpoint.js"
import { Health } from "./health.js"
import { Hosts } from "./hosts.js"
import { ignoringUpgrade } from "./ignored-upgrade.js"
import { Origins } from "./origins.js"
import { TrustedProxies } from "./peer.js"
import { mediaTypesOf } from "./request.js"
import type { Common, ListenLimits, ListenOptions, Place, ServingOptions } from "./serving.js"
import { openStaticFiles } from "./static-files.js"
import { refusalText } from "./text.js"
import { TurnedAwayOnce } from "./turned-away.js"

export interface Listener extends AsyncDisposable {
  /** `http://localhost:8080/`, with the port that was really taken. */
  readonly url: URL
  /**
   * Hands clients over to other servers before {@link close}: `/readyz` says 503 at once, no more WebSockets are taken, those
   * that there are are closed one after the other, and requests are answered. Resolves when no WebSocket is left, at the
   * latest after `milliseconds`. A quarter of them passes before the first is closed, for proxies to notice.
   */
  drain(milliseconds: number): Promise<void>
  /** Takes no more connections, ends streams, and waits for requests that are under way. */
  close(): Promise<void>
}

/** Connections that wait to be accepted: those of a flood must not crowd out the others. The system may allow fewer. */
const BACKLOG = 4096
const DEFAULT_HOST = "localhost"

export const defaultLimits: ListenLimits = {
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
 * @throws {TypeError} when `mediaTypes` has one that a page of any origin may send, or the public URL or an allowed origin
 *   is none.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  options.signal?.throwIfAborted()
  return listenWith(await prepare(options), options)
}

/** What all endpoints of a process have in common: limits and shares count for all of them together. */
export async function prepare(options: ServingOptions): Promise<Common> {
  const limits = { ...defaultLimits, ...options.limits }
  const { services, offer, ready = async () => true } = options
  const shares = options.shares ?? new Shares({ connectionsMax: limits.connectionsMax, ...pick(options) })
  return {
    services,
    offer,
    limits,
    shares,
    mediaTypes: mediaTypesOf(options.mediaTypes),
    proxies: new TrustedProxies(options.trustedProxies),
    origins: new Origins(options),
    onError: options.onError ?? (() => {}),
    hint: once(options.onUntrustedProxy ?? (() => {})),
    turnedAway: new TurnedAwayOnce(options.onTurnedAway ?? (() => {})).add,
    health: new Health({ ready, shares }),
    files: options.static === undefined ? undefined : await openStaticFiles(options.static),
  }
}

/** A server of its own for `common`. Rejects as {@link listen}. */
export async function listenWith(common: Common, place: Place): Promise<Listener> {
  place.signal?.throwIfAborted()
  const { limits, origins } = common
  const endpoint = new Endpoint(common, new Hosts(place.host ?? DEFAULT_HOST, place.hosts, origins.host))
  const server = createServer({
    headersTimeout: limits.headTimeoutMilliseconds,
    requestTimeout: 3 * limits.headTimeoutMilliseconds,
    connectionsCheckingInterval: Math.max(limits.headTimeoutMilliseconds / 4, 50),
    keepAliveTimeout: 65_000,
    // Those are refused, or let in, as requests under other names are.
    requireHostHeader: origins.host === undefined,
  })
  const upgrades = ignoringUpgrade(server)
  admitConnections(server, common)
  server.on("request", (request, response) => {
    if (upgrades.serves(request)) endpoint.answer(request, response, pathIn(request, origins.path))
  })
  server.on("upgrade", (request, socket, head) => {
    if (upgrades.take(request, socket as Socket, head)) return
    endpoint.upgrade(request, socket as Socket, head, pathIn(request, origins.path).path)
  })
  server.on("clientError", answerClientError)
  const url = await bind(server, place).catch(async (error: unknown) => {
    await endpoint.close()
    throw error
  })
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= closeGracefully(server, endpoint, limits.closeTimeoutMilliseconds)
    return closed
  }
  place.signal?.addEventListener("abort", () => void close(), { once: true })
  if (place.signal?.aborted) {
    await close()
    place.signal.throwIfAborted()
  }
  return { url, drain: (milliseconds) => endpoint.drain(milliseconds), close, [Symbol.asyncDispose]: close }
}

/** The path of a request, with or without that of the public URL: a proxy may have taken it off. */
function pathIn({ url = "" }: IncomingMessage, publicPath: string): Asked {
  const path = url.split("?", 1)[0]!
  if (publicPath === "") return { path }
  if (path === publicPath) return { path: "/", slashless: path }
  return { path: path.startsWith(`${publicPath}/`) ? path.slice(publicPath.length) : path }
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

function bind(server: Server, { host = DEFAULT_HOST, port = 0 }: Place): Promise<URL> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off("error", reject)
      const { port: taken } = server.address() as AddressInfo
      resolve(new URL(`http://${host.includes(":") ? `[${host}]` : host}:${taken}/`))
    })
  })
}

async function closeGracefully(server: Server, endpoint: Endpoint, timeoutMilliseconds: number): Promise<void> {
  const done = new Promise<void>((resolve) => server.close(() => resolve()))
  const ended = endpoint.close()
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMilliseconds)
  await Promise.all([done, ended])
  clearTimeout(timer)
}

const pick = ({ onRefusal }: ServingOptions) => (onRefusal === undefined ? {} : { onRefusal })

function once(tell: () => void): () => void {
  let told = false
  return () => {
    if (!told) tell()
    told = true
  }
}
