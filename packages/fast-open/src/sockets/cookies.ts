import { spawn } from "node:child_process"
import { isIP } from "node:net"

const DESTINATIONS_MAX = 4096

interface Destination {
  firstUse: number
  /** Set when a cookie was to be flushed and could not be: it is never used again by this process. */
  stuck: boolean
}

/** The kernel keeps cookies without an expiry and does not tell their age, so the first use of each is noted here. */
const destinations = new Map<string, Destination>()

/**
 * Whether the kernel's cookie for `address`, if it has one, is young enough. One that is too old is flushed, and this
 * connection goes without; where the privilege to flush lacks, so do all later ones of this process.
 */
export function cookieMayBeUsed(address: string, lifetimeSeconds: number, now = Date.now()): boolean {
  const known = destinations.get(address)
  if (known === undefined) {
    if (destinations.size >= DESTINATIONS_MAX) destinations.delete(destinations.keys().next().value!)
    destinations.set(address, { firstUse: now, stuck: false })
    return true
  }
  if (known.stuck) return false
  if (now - known.firstUse <= lifetimeSeconds * 1000) return true
  known.stuck = true
  void flushCookies(address).then((flushed) => {
    if (flushed) destinations.delete(address)
  })
  return false
}

/**
 * Makes the kernel forget its fast-open cookie for one address, or for all, with everything else that it remembers of
 * them (`ip tcp_metrics flush`; it needs CAP_NET_ADMIN). `false` where that is not to be had.
 */
export async function flushCookies(address?: string): Promise<boolean> {
  if (address !== undefined && isIP(address) === 0) throw new TypeError("an IP address is needed")
  const words = ["tcp_metrics", "flush", ...(address === undefined ? ["all"] : [address])]
  return new Promise((resolve) => {
    const child = spawn("ip", words, { stdio: "ignore" })
    child.once("error", () => resolve(false))
    child.once("exit", (code) => resolve(code === 0))
  })
}
