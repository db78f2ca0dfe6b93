import type { IncomingMessage } from "node:http"
import { peerAt } from "../sealed/prefix.js"

/**
 * The network that a request comes from, as `RequestContext.peer`; `undefined` where the address does not tell: programs
 * of this very machine, among them a proxy in front of the listener, speak for anybody.
 */
export function peerOf(request: IncomingMessage): string | undefined {
  return peerAt(request.socket.remoteAddress)
}
