/**
 * How data may travel in a SYN.
 *
 * - `private`: without the cookie of RFC 7413, a clear-text identifier that outlives changes of address. Nothing is
 *   stored, and nothing on the wire links two connections. The default.
 * - `off`: ordinary connections.
 */
export type FastOpenPolicy = "private" | "off"

export function requirePolicy(policy: FastOpenPolicy | undefined): FastOpenPolicy {
  if (policy === undefined) return "private"
  if (policy === "private" || policy === "off") return policy
  throw new TypeError(
    `unknown fast-open policy ${JSON.stringify(policy)}: private and off are known, and need no cookie`,
  )
}
