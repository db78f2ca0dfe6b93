/**
 * How data may travel in a SYN.
 *
 * - `private`: without any cookie. Nothing is stored, and nothing on the wire links two connections. The default.
 * - `cookie`: RFC 7413 as it stands. Its cookie is a clear-text identifier that outlives changes of address, so this is
 *   for private networks where nobody unwanted listens, and for servers that other software speaks to.
 * - `off`: ordinary connections.
 */
export type FastOpenPolicy = "private" | "cookie" | "off"

export function requirePolicy(policy: FastOpenPolicy | undefined): FastOpenPolicy {
  if (policy === undefined) return "private"
  if (policy === "private" || policy === "cookie" || policy === "off") return policy
  throw new TypeError(`unknown fast-open policy ${JSON.stringify(policy)}: private, cookie or off`)
}
