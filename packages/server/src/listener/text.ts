import type { ServerResponse } from "node:http"

/**
 * For every answer. The page runs only scripts and WebAssembly of its own address and speaks to no other; nobody
 * frames it. `connect-src 'self'` covers the WebSocket of the same address (CSP Level 3 §6.7.2.8).
 */
export const contentSecurity: readonly (readonly [string, string])[] = [
  [
    "content-security-policy",
    [
      "default-src 'none'",
      "script-src 'self' 'wasm-unsafe-eval'",
      "style-src 'self'",
      "img-src 'self' data:",
      "font-src 'self'",
      "connect-src 'self'",
      "worker-src 'self'",
      "manifest-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
  ],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
  ["permissions-policy", "camera=(self), geolocation=(), microphone=()"],
  ["referrer-policy", "no-referrer"],
  ["x-content-type-options", "nosniff"],
]

const PLAIN_TEXT = "text/plain; charset=utf-8"

/** Answers with one readable line, and if that is too late, cuts the connection. */
export function sendText(response: ServerResponse, status: number, reason: string, mediaType = PLAIN_TEXT): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, {
    "content-type": mediaType,
    "content-length": Buffer.byteLength(reason) + 1,
    "cache-control": "no-store",
    // The body of a request that is refused is not read.
    ...(status >= 400 ? { connection: "close" } : {}),
  })
  response.end(`${reason}\n`)
}

/** An answer to what has not become a request. */
export interface Refused {
  /** `503 Service Unavailable` */
  readonly status: string
  /** In ASCII. */
  readonly reason: string
  /** Default: plain text. */
  readonly mediaType?: string
}

/** The whole answer, for a connection that is closed after it. */
export function refusalText({ status, reason, mediaType = PLAIN_TEXT }: Refused): string {
  return (
    `HTTP/1.1 ${status}\r\ncontent-type: ${mediaType}\r\ncontent-length: ${reason.length + 1}\r\n` +
    `cache-control: no-store\r\nconnection: close\r\n\r\n${reason}\n`
  )
}
