import { spawn } from "node:child_process"
import { isIP, type Server, type Socket } from "node:net"
import { connect, connectWith, type FastOpenConnectOptions } from "../src/sockets/connect.js"
import { type FastOpenListenOptions, listen, listenWith } from "../src/sockets/listen.js"
import type { FastOpenPolicy } from "../src/sockets/policy.js"
import { descriptorOf, socketOptions, tcpOption } from "../src/sockets/socket-options.js"

/**
 * TCP Fast Open with its cookie, as RFC 7413 has it, beside what the product does: for the experiments that compare the
 * two. The cookie is a clear-text identifier that outlives changes of address.
 */
export type LaboratoryPolicy = FastOpenPolicy | "cookie"

export interface LaboratoryConnectOptions extends Omit<FastOpenConnectOptions, "policy"> {
  policy?: LaboratoryPolicy
  /** With the policy `cookie`: a cookie older than this is flushed and not used. Default 3,600. */
  cookieLifetimeSeconds?: number
}

export interface LaboratoryListenOptions extends Omit<FastOpenListenOptions, "policy"> {
  policy?: LaboratoryPolicy
  /** With the policy `cookie`: 16 bytes that make new cookies, then 16 bytes whose cookies are still accepted. */
  cookieKeys?: CookieKeys
}

export interface CookieKeys {
  readonly primary: Uint8Array
  readonly backup?: Uint8Array
}

/** `TCP_FASTOPEN_KEY` of Linux's `netinet/tcp.h`. */
const FAST_OPEN_KEY = 33
const COOKIE_KEY_LENGTH = 16

/** The product's `connect`, and one with the policy `cookie`. */
export function connectAs({ policy, cookieLifetimeSeconds = 3600, ...options }: LaboratoryConnectOptions): Socket {
  if (policy !== "cookie") return connect({ ...options, ...(policy && { policy }) })
  const mayBeUsed = (address: string) => cookieMayBeUsed(address, cookieLifetimeSeconds)
  return connectWith((address) => (mayBeUsed(address) ? [tcpOption.fastOpenConnect] : undefined), options)
}

/** The product's `listen`, and one with the policy `cookie`. */
export function listenAs<S extends Server>(server: S, { policy, cookieKeys, ...options }: LaboratoryListenOptions): S {
  if (cookieKeys && policy !== "cookie") throw new TypeError("cookieKeys need the policy cookie")
  if (policy !== "cookie") return listen(server, { ...options, ...(policy && { policy }) })
  return listenWith(cookieKeys ? [["TCP_FASTOPEN_KEY", FAST_OPEN_KEY, joinKeys(cookieKeys)]] : [], server, options)
}

/**
 * Changes the keys of a listening server's cookies (policy `cookie`), for all its listeners and without a pause: give
 * the former primary key as backup, and cookies made with it live on for one more rotation. Throws where refused.
 */
export function rotateCookieKeys(server: Server, cookieKeys: CookieKeys): void {
  const options = socketOptions()
  const descriptor = descriptorOf(server)
  if (options instanceof Error) throw options
  if (descriptor === undefined) throw new TypeError("the server is not listening")
  const refused = options.set(descriptor, FAST_OPEN_KEY, joinKeys(cookieKeys))
  if (refused !== 0) throw new Error(`TCP_FASTOPEN_KEY is refused (error ${refused})`)
}

function joinKeys({ primary, backup }: CookieKeys): Uint8Array {
  for (const key of [primary, backup]) {
    if (key && key.length !== COOKIE_KEY_LENGTH) throw new RangeError("a cookie key has 16 bytes")
  }
  const joined = new Uint8Array(backup ? 2 * COOKIE_KEY_LENGTH : COOKIE_KEY_LENGTH)
  joined.set(primary)
  if (backup) joined.set(backup, COOKIE_KEY_LENGTH)
  return joined
}

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
