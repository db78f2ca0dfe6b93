import type { ListenOptions, Server } from "node:net"
import { type FastOpenPolicy, requirePolicy } from "./policy.js"
import { descriptorOf, type SocketOptions, socketOptions, tcpOption } from "./socket-options.js"
import { fastOpenSupport, warnOnce } from "./support.js"

export interface FastOpenListenOptions extends ListenOptions {
  /** Default `private`. */
  policy?: FastOpenPolicy
  /** Connections that may wait in the kernel before their handshake has finished. Default a quarter of the backlog. */
  fastOpenQueue?: number
}

const BACKLOG = 4096
/** After this many repeats (about 3 s) an address that does not answer a SYN-ACK is given up. */
const SYN_COUNT = 2

/**
 * `server.listen(options)` for a server of `node:net`, `tls`, `http`, `https` or `http2` that accepts data in the SYN.
 * Where the system cannot do it the server listens as usual, and one warning per process says why.
 *
 * **A connection can begin with replayed or spoofed data**: nothing has been heard of the peer's address when its first
 * bytes are read. {@link tcpInfo} tells `syn-received` from `established`.
 */
export function listen<S extends Server>(server: S, options: FastOpenListenOptions, listening?: () => void): S {
  const policy = requirePolicy(options.policy)
  const { policy: _policy, ...ordinary } = options
  return listenWith(policy === "off" ? undefined : WITHOUT_COOKIE, server, ordinary, listening)
}

/** Socket options of a listener: the name that the system gives it, its number, what it is set to. */
export type ListenerSetting = readonly [name: string, option: number, value: number | Uint8Array]

const WITHOUT_COOKIE: readonly ListenerSetting[] = [["TCP_FASTOPEN_NO_COOKIE", tcpOption.fastOpenNoCookie, 1]]

/** See {@link listen}. Without `settings` no data is accepted in the SYN. */
export function listenWith<S extends Server>(
  settings: readonly ListenerSetting[] | undefined,
  server: S,
  options: Omit<FastOpenListenOptions, "policy">,
  listening?: () => void,
): S {
  const { fastOpenQueue, ...ordinary } = options
  const backlog = options.backlog ?? BACKLOG
  const queue = fastOpenQueue ?? Math.floor(backlog / 4)
  // A fuller queue would let connections that never finish crowd the finished ones out of the backlog.
  if (queue < 1 || queue > backlog / 4) throw new RangeError("fastOpenQueue must be 1 to a quarter of the backlog")

  if (listening) server.once("listening", listening)
  if (settings) server.prependOnceListener("listening", () => acceptSynData(server, settings, queue))
  server.listen({ ...ordinary, backlog })
  return server
}

function acceptSynData(server: Server, settings: readonly ListenerSetting[], queue: number): void {
  const kernel = socketOptions()
  const descriptor = descriptorOf(server)
  if (kernel instanceof Error || !fastOpenSupport().server) {
    warnOnce("server")
  } else if (descriptor === undefined) {
    warnOnce("server", "the listening socket belongs to another process")
  } else {
    // The queue comes last: it is what switches fast open on, and it must not be on with half of its settings.
    const refusal = setListenerOptions(kernel, descriptor, [...settings, ["TCP_FASTOPEN", tcpOption.fastOpen, queue]])
    if (refusal !== undefined) warnOnce("server", refusal)
  }
}

function setListenerOptions(kernel: SocketOptions, descriptor: number, settings: readonly ListenerSetting[]) {
  for (const [name, option, value] of [["TCP_SYNCNT", tcpOption.synCount, SYN_COUNT] as const, ...settings]) {
    const error = kernel.set(descriptor, option, value)
    if (error !== 0) return `${name} is refused (error ${error})`
  }
  return undefined
}
