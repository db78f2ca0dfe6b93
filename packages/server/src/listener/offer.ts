import type { IncomingMessage, ServerResponse } from "node:http"
import type { Serving, ServingOptions } from "./serving.js"
import { sendText } from "./text.js"

/** Answers a GET with the offer of sealed requests: made for this client, to be used once. */
export function answerOffer(
  request: IncomingMessage,
  response: ServerResponse,
  { offer, proxies }: Serving & { readonly offer: NonNullable<ServingOptions["offer"]> },
): void {
  if (request.method !== "GET") {
    response.setHeader("allow", "GET")
    sendText(response, 405, "the offer is asked for by GET")
    return
  }
  // Tokens are good for the address that they were made for: that of a proxy which nobody named is not the client's.
  const isForwarded = ["forwarded", "x-forwarded-for", "via"].some((name) => request.headers[name] !== undefined)
  const isOfStranger = isForwarded && !proxies.has(request.socket.remoteAddress ?? "")
  const bytes = offer(isOfStranger ? undefined : proxies.clientAddress(request))
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": bytes.length,
    "cache-control": "no-store",
  })
  response.end(bytes)
}
