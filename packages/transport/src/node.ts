import { WebSocket } from "ws"
import { type ConnectOptions, connectWith } from "./connect.js"
import { SUBPROTOCOL } from "./frames.js"
import type { Transport } from "./seam.js"

export type { ConnectOptions } from "./connect.js"
export * from "./index.js"

/** A transport to the service at `url`, for example `http://localhost:8080/delivery`, see {@link connectWith}. */
export function connect(url: string | URL, options: ConnectOptions = {}): Transport {
  return connectWith(
    (socketUrl) =>
      new WebSocket(socketUrl, SUBPROTOCOL, {
        perMessageDeflate: false,
        maxPayload: options.responseSizeMax ?? 16 * 1024 * 1024,
      }),
    url,
    options,
  )
}
