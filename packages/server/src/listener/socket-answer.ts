import type { IncomingMessage, ServerResponse } from "node:http"
import { type Origins, serializedOrigin } from "./origins.js"
import { type Refused, sendText } from "./text.js"

export type SocketCode =
  /** 426: a plain request, which wanted no WebSocket. */
  | "upgradeRequired"
  /** 426: a WebSocket's handshake without its `Upgrade` header: something in between has taken it off. */
  | "upgradeDropped"
  /** 403: the handshake of a page whose origin is not let in. */
  | "originRefused"
  /** 421: the service does not answer to this `Host`. */
  | "hostRefused"
  /** 503: the service is ending. */
  | "closing"
  /** 503: a network, or all, have as many sockets as there is room for. */
  | "tooManySockets"
  /** 404 */
  | "notFound"

/**
 * What a client is told, in JSON, of a WebSocket that it did not get.
 *
 * A page cannot see the answer to a handshake that failed. It asks for the socket's path by a plain GET, and gives its
 * own origin as `?origin=`, for browsers send no `Origin` with a GET to the page's own origin. Where there is an
 * `Origin`, it counts. Pages of every origin can read the answer to that, which says nothing that they do not know:
 *
 * | the GET | what is wrong |
 * |---|---|
 * | fails | the service cannot be reached |
 * | 426, `originAllowed: false` | the origin is refused: `--public-url`, `--allow-origin` |
 * | 426, `originAllowed: true` | the WebSocket failed all the same: a proxy does not pass it on |
 * | another status, or no `code` | the service is ending or full, or something else answers |
 *
 * A client that sees the answer to its handshake (Node) finds the same there, `upgrade` being `present`, or `dropped`
 * with 426.
 */
export interface SocketAnswer {
  readonly code: SocketCode
  /** In ASCII, for people: may change. */
  readonly reason: string
  /** What of a handshake arrived: nothing, all but the `Upgrade` header, or all. */
  readonly upgrade: "none" | "dropped" | "present"
  /** The origin that was judged; `null` where there was none, or none that can be read. */
  readonly origin: string | null
  /** Whether a WebSocket of that origin would be let in under this `Host`; `true` where there is no origin. */
  readonly originAllowed: boolean
}

/** Answers a request to the socket's path that came as an ordinary one. */
export function answerPlain(request: IncomingMessage, response: ServerResponse, origins: Origins): void {
  const isDropped = wasHandshake(request)
  const judged = judge(request, origins)
  const answer: SocketAnswer = {
    code: isDropped ? "upgradeDropped" : "upgradeRequired",
    reason: isDropped
      ? "this WebSocket came without its Upgrade header: a proxy in between does not pass WebSockets on"
      : "this path takes WebSockets only",
    upgrade: isDropped ? "dropped" : "none",
    ...judged,
  }
  response.setHeader("upgrade", "websocket")
  response.setHeader("access-control-allow-origin", "*")
  sendText(response, 426, JSON.stringify(answer), "application/json")
}

/** The answer to a handshake that is refused. */
export function refusedHandshake(
  request: Pick<IncomingMessage, "headers">,
  origins: Origins,
  { status, code, reason }: { readonly status: string; readonly code: SocketCode; readonly reason: string },
): Refused {
  const answer: SocketAnswer = { code, reason, upgrade: "present", ...judge(request, origins) }
  return { status, reason: JSON.stringify(answer), mediaType: "application/json" }
}

/** Whether a request is a WebSocket's handshake (RFC 6455 §4.1) that did not arrive as one. */
export const wasHandshake = ({ headers }: Pick<IncomingMessage, "headers">): boolean =>
  headers["sec-websocket-key"] !== undefined

function judge(
  { headers, url = "" }: Pick<IncomingMessage, "headers"> & { readonly url?: string | undefined },
  origins: Origins,
): Pick<SocketAnswer, "origin" | "originAllowed"> {
  const given = headers.origin ?? new URLSearchParams(url.split("?", 2)[1] ?? "").get("origin") ?? undefined
  if (given === undefined) return { origin: null, originAllowed: true }
  return { origin: serializedOrigin(given) ?? null, originAllowed: origins.allows(given, headers.host) }
}
