import { withDeadline } from "./deadline.js"
import { type HttpTransportOptions, httpTransport } from "./http.js"
import type { LineFault } from "./line-fault.js"
import { type RequestOptions, type SubscribeOptions, type Transport, TransportError } from "./seam.js"
import { socketFault } from "./socket-fault.js"
import type { SocketTransportOptions } from "./socket-options.js"
import { platformTimers } from "./timers.js"
import { type SocketTransport, socketTransport } from "./websocket.js"

export interface ConnectOptions
  extends HttpTransportOptions,
    Omit<SocketTransportOptions, "url" | "service" | "createSocket" | "explain"> {
  /** Of the page that connects, so that the service can say whether it lets this origin in. */
  readonly origin?: string
}

/** Larger requests go over HTTP, where they don't hold up the streams of the socket; in bytes. */
const SOCKET_REQUEST_SIZE_MAX = 64 * 1024
/** The service is asked so often at most why something failed. */
const FAULT_MILLISECONDS = 2_000

/**
 * A transport to the service at `url` (`http://host:port/delivery`): requests go over the socket while one is open and
 * alive, and over HTTP otherwise, subscriptions over the socket at `/socket` beside it. Nothing is opened before it is
 * needed.
 */
export function connectWith(
  createSocket: SocketTransportOptions["createSocket"],
  url: string | URL,
  options: ConnectOptions = {},
): Transport {
  const address = new URL(url)
  if (address.protocol !== "http:" && address.protocol !== "https:") {
    throw new TypeError(`a service has an http or https address, not ${address.protocol}`)
  }
  const service = address.pathname.split("/").at(-1)!
  if (service === "") throw new TypeError("the address does not name a service: its path ends in a slash")
  const explain = explainer(new URL("socket", address), options)
  const http = httpTransport(address, options)
  const socket = socketTransport({ ...options, url: socketAddress(address), service, createSocket, explain })
  return {
    async request(body, requestOptions?: RequestOptions) {
      if (body.length <= SOCKET_REQUEST_SIZE_MAX && (await isUsable(socket, { ...options, ...requestOptions }))) {
        return socket.request(body, requestOptions)
      }
      try {
        return await http.request(body, requestOptions)
      } catch (error) {
        throw options.origin === undefined ? error : await explained(error, explain)
      }
    },
    subscribe: (body, subscribeOptions?: SubscribeOptions) => socket.subscribe(body, subscribeOptions),
    probe: () => socket.probe(),
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  }
}

/** Does not wait any longer than for an answer, and not after the signal: where timers are throttled, a ping takes minutes. */
function isUsable(socket: SocketTransport, options: HttpTransportOptions & SubscribeOptions): Promise<boolean> {
  const { signal, timeoutMilliseconds = 30_000, timers } = options
  return withDeadline({ signal, timeoutMilliseconds, timers }, (signal) => {
    const over = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true })
    })
    return Promise.race([socket.usable(), over])
  })
}

/** A page that is refused sees no more of an answer than where there is none, but it can read the socket's. */
async function explained(error: unknown, explain: () => Promise<LineFault>): Promise<unknown> {
  if (!(error instanceof TransportError) || error.status !== undefined || !error.retryable) return error
  if ((await explain()) !== "originRefused") return error
  const { message, retryable, cause } = error
  return new TransportError(message, { retryable, cause, fault: "originRefused" })
}

function explainer(url: URL, { origin, timers = platformTimers }: ConnectOptions): () => Promise<LineFault> {
  let last: { readonly at: number; readonly fault: Promise<LineFault> } | undefined
  return () => {
    const now = timers.elapsed()
    if (last === undefined || now - last.at > FAULT_MILLISECONDS) {
      last = { at: now, fault: socketFault({ url, origin, timers }) }
    }
    return last.fault
  }
}

function socketAddress(service: URL): URL {
  const url = new URL("socket", service)
  url.protocol = service.protocol === "https:" ? "wss:" : "ws:"
  return url
}
