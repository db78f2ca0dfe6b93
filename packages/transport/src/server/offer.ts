import type { IncomingMessage, ServerResponse } from "node:http"
import type { ListenOptions } from "./listen.js"
import { sendText } from "./text.js"

/** Answers a GET with the offer of sealed requests: made for this client, to be used once. */
export function answerOffer(
  request: IncomingMessage,
  response: ServerResponse,
  offer: NonNullable<ListenOptions["offer"]>,
): void {
  if (request.method !== "GET") {
    response.setHeader("allow", "GET")
    sendText(response, 405, "the offer is asked for by GET")
    return
  }
  const { headers, socket } = request
  // Tokens are good for the address that they were made for: that of a proxy is not the client's.
  const isForwarded = ["forwarded", "x-forwarded-for", "via"].some((name) => headers[name] !== undefined)
  const bytes = offer(isForwarded ? undefined : socket.remoteAddress)
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": bytes.length,
    "cache-control": "no-store",
  })
  response.end(bytes)
}
