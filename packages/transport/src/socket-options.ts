import type { LineFault } from "./line-fault.js"
import type { Timers } from "./timers.js"

/** What the browser's WebSocket and that of `ws` have in common. */
export interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  send(bytes: Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  addEventListener(type: "open" | "message" | "close" | "error", listener: (event: any) => void): void
}

export interface SocketTransportOptions {
  /** `ws:` or `wss:`. */
  readonly url: URL
  /** Which of the services behind the socket is asked. */
  readonly service: string
  readonly createSocket: (url: URL) => WebSocketLike
  /** For a request; default 30,000. */
  readonly timeoutMilliseconds?: number
  /** For opening the socket; default 15,000, and never more than {@link timeoutMilliseconds}. */
  readonly openMilliseconds?: number
  /** How many bytes of a subscription may be under way before its reader takes them; default 256 KiB. */
  readonly creditBytes?: number
  /** After so long without a sign of life the server is asked for one; default 15,000. */
  readonly keepaliveMilliseconds?: number
  /**
   * A socket that was asked for a sign of life is given up after so long; default half of {@link keepaliveMilliseconds}.
   * Where that was too short the next socket is given twice the time, and up to four times.
   */
  readonly pongMilliseconds?: number
  /** A socket that carries nothing is closed after so long; default 60,000. */
  readonly idleMilliseconds?: number
  /** Default: the platform's. */
  readonly timers?: Timers
  /** Says why a socket did not open; asked after each that did not. */
  readonly explain?: () => Promise<LineFault>
}
