import type { ListenOptions, Server } from "node:net"
import { type FastOpenPolicy, requirePolicy } from "./policy.js"
import { descriptorOf, type SocketOptions, socketOptions, tcpOption } from "./socket-options.js"
import { fastOpenSupport, warnOnce } from "./support.js"

export interface FastOpenListenOptions extends ListenOptions {
  /** Default `private`. */
  policy?: FastOpenPolicy
  /** Connections that may wait in the kernel before their handshake has finished. Default a quarter of the backlog. */
  fastOpenQueue?: number
  /** With the policy `cookie`: 16 bytes that make new cookies, then 16 bytes whose cookies are still accepted. */
  cookieKeys?: CookieKeys
}

export interface CookieKeys {
  readonly primary: Uint8Array
  readonly backup?: Uint8Array
}

const BACKLOG = 4096
/** After this many repeats (about 3 s) an address that does not answer a SYN-ACK is given up. */
const SYN_COUNT = 2
const COOKIE_KEY_LENGTH = 16

/**
 * `server.listen(options)` for a server of `node:net`, `tls`, `http`, `https` or `http2` that accepts data in the SYN.
 * Where the system cannot do it the server listens as usual, and one warning per process says why.
 *
 * **A connection can begin with replayed or spoofed data**: with the policy `private`, nothing has been heard of the
 * peer's address when its first bytes are read. {@link tcpInfo} tells `syn-received` from `established`.
 */
export function listen<S extends Server>(server: S, options: FastOpenListenOptions, listening?: () => void): S {
  const policy = requirePolicy(options.policy)
  const { policy: _policy, fastOpenQueue, cookieKeys, ...ordinary } = options
  const backlog = options.backlog ?? BACKLOG
  const queue = fastOpenQueue ?? Math.floor(backlog / 4)
  // A fuller queue would let connections that never finish crowd the finished ones out of the backlog.
  if (queue < 1 || queue > backlog / 4) throw new RangeError("fastOpenQueue must be 1 to a quarter of the backlog")
  if (cookieKeys && policy !== "cookie") throw new TypeError("cookieKeys need the policy cookie")
  const keys = cookieKeys && joinKeys(cookieKeys)

  if (listening) server.once("listening", listening)
  if (policy !== "off") server.prependOnceListener("listening", () => acceptSynData(server, { policy, queue, keys }))
  server.listen({ ...ordinary, backlog })
  return server
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
  const refused = options.set(descriptor, tcpOption.fastOpenKey, joinKeys(cookieKeys))
  if (refused !== 0) throw new Error(`TCP_FASTOPEN_KEY is refused (error ${refused})`)
}

interface Acceptance {
  readonly policy: FastOpenPolicy
  readonly queue: number
  readonly keys: Uint8Array | undefined
}

function acceptSynData(server: Server, acceptance: Acceptance): void {
  const kernel = socketOptions()
  const descriptor = descriptorOf(server)
  if (kernel instanceof Error || !fastOpenSupport().server) {
    warnOnce("server")
  } else if (descriptor === undefined) {
    warnOnce("server", "the listening socket belongs to another process")
  } else {
    const refusal = setListenerOptions(kernel, descriptor, acceptance)
    if (refusal !== undefined) warnOnce("server", refusal)
  }
}

/** The queue comes last: it is what switches fast open on, and it must not be on with half of its settings. */
function setListenerOptions(kernel: SocketOptions, descriptor: number, { policy, queue, keys }: Acceptance) {
  const settings: [string, number, number | Uint8Array][] = [["TCP_SYNCNT", tcpOption.synCount, SYN_COUNT]]
  if (policy === "private") settings.push(["TCP_FASTOPEN_NO_COOKIE", tcpOption.fastOpenNoCookie, 1])
  if (keys) settings.push(["TCP_FASTOPEN_KEY", tcpOption.fastOpenKey, keys])
  settings.push(["TCP_FASTOPEN", tcpOption.fastOpen, queue])
  for (const [name, option, value] of settings) {
    const error = kernel.set(descriptor, option, value)
    if (error !== 0) return `${name} is refused (error ${error})`
  }
  return undefined
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
