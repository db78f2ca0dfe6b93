import { type ConnectOptions, connectWith } from "./connect.js"
import { SUBPROTOCOL } from "./frames.js"
import type { Transport } from "./seam.js"
import type { WebSocketLike } from "./socket-options.js"

export type { ConnectOptions } from "./connect.js"
export * from "./index.js"

declare const WebSocket: new (url: URL, protocol: string) => WebSocketLike
declare const location: { readonly origin: string }

/** {@link connectWith} the browser's own WebSocket. `url` names a service: `/delivery` of the page's own address. */
export function connect(url: string | URL, options?: ConnectOptions): Transport {
  const { origin } = location
  return connectWith((socketUrl) => new WebSocket(socketUrl, SUBPROTOCOL), url, { origin, ...options })
}
