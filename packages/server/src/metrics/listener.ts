/// <reference lib="esnext.disposable" preserve="true" />
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Hosts } from "../listener/hosts.js"
import { sendText } from "../listener/text.js"
import type { Metrics } from "./metrics.js"

const DEFAULT_HOST = "localhost"
const PATH = "/metrics"
/** One Prometheus asks, and perhaps a person. */
const CONNECTIONS_MAX = 16

export interface MetricsListener extends AsyncDisposable {
  /** With the port that was really taken. */
  readonly url: URL
}

/**
 * Answers `GET /metrics` at an address of its own, which no client of the service needs to reach. Rejects where it cannot
 * be taken (the system's error, for example `EADDRINUSE`).
 */
export async function listenForMetrics(
  metrics: Metrics,
  { host = DEFAULT_HOST, port = 0 }: { readonly host?: string; readonly port?: number } = {},
): Promise<MetricsListener> {
  const hosts = new Hosts(host, undefined)
  const server = createServer((request, response) => void answer(request, response, { metrics, hosts }))
  server.maxConnections = CONNECTIONS_MAX
  await bind(server, host, port)
  const { port: taken } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return {
    url: new URL(`http://${host.includes(":") ? `[${host}]` : host}:${taken}${PATH}`),
    [Symbol.asyncDispose]: close,
  }
}

interface Answering {
  readonly metrics: Metrics
  readonly hosts: Hosts
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { metrics, hosts }: Answering,
): Promise<void> {
  // A page of any site can make its own name mean this machine.
  const unknown = hosts.refuse(request.headers.host)
  if (unknown !== undefined) return sendText(response, 421, unknown)
  if (request.url?.split("?", 1)[0] !== PATH) return sendText(response, 404, "metrics are at /metrics")
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD")
    return sendText(response, 405, "metrics are asked for by GET")
  }
  try {
    const text = await metrics.text()
    response.writeHead(200, { "content-type": metrics.contentType, "cache-control": "no-store" })
    response.end(request.method === "HEAD" ? undefined : text)
  } catch {
    sendText(response, 500, "the metrics cannot be told now")
  }
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen({ port, host }, () => {
      server.off("error", reject)
      resolve()
    })
  })
}
