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
  /** For a request, and for opening the socket; default 30,000. */
  readonly timeoutMilliseconds?: number
  /** How many bytes of a subscription may be under way before its reader takes them; default 256 KiB. */
  readonly creditBytes?: number
  /** After so long without a sign of life the server is asked for one, and after as long again given up; default 20,000. */
  readonly keepaliveMilliseconds?: number
  /** A socket that carries nothing is closed after so long; default 60,000. */
  readonly idleMilliseconds?: number
}
