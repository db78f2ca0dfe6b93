import { type HttpTransportOptions, httpTransport } from "./http.js"
import type { RequestOptions, SubscribeOptions, Transport } from "./seam.js"
import type { SocketTransportOptions } from "./socket-options.js"
import { socketTransport } from "./websocket.js"

export interface ConnectOptions
  extends HttpTransportOptions,
    Omit<SocketTransportOptions, "url" | "service" | "createSocket"> {}

/** Larger requests go over HTTP, where they don't hold up the streams of the socket; in bytes. */
const SOCKET_REQUEST_SIZE_MAX = 64 * 1024

/**
 * A transport to the service at `url` (`http://host:port/delivery`): requests go over the socket while one is open and
 * over HTTP otherwise, subscriptions over the socket at `/socket` beside it. Nothing is opened before it is needed.
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
  const http = httpTransport(address, options)
  const socket = socketTransport({ ...options, url: socketAddress(address), service, createSocket })
  return {
    request(body, requestOptions?: RequestOptions) {
      const carrier = socket.connected && body.length <= SOCKET_REQUEST_SIZE_MAX ? socket : http
      return carrier.request(body, requestOptions)
    },
    subscribe: (body, subscribeOptions?: SubscribeOptions) => socket.subscribe(body, subscribeOptions),
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  }
}

function socketAddress(service: URL): URL {
  const url = new URL("socket", service)
  url.protocol = service.protocol === "https:" ? "wss:" : "ws:"
  return url
}
