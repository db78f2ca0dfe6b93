import type { IncomingMessage } from "node:http"
import { prefixOf } from "../sealed/prefix.js"

/**
 * The network that a request comes from, as `RequestContext.peer`; `undefined` where the address does not tell: programs
 * of this very machine, among them a proxy in front of the listener, speak for anybody.
 */
export function peerOf(request: IncomingMessage): string | undefined {
  const { remoteAddress } = request.socket
  if (remoteAddress === undefined || /^(::ffff:)?127\.|^::1$/i.test(remoteAddress)) return undefined
  return Buffer.from(prefixOf(remoteAddress)).toString("hex")
}
