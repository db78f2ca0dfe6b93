import type { IncomingMessage } from "node:http"
import { BlockList, isIP, isIPv4 } from "node:net"
import type { Requester } from "@conclave/transport"
import { requesterAt } from "@conclave/transport/parts"

/** Proxies that the operator named: what they say of an address is believed. */
export class TrustedProxies {
  readonly #list = new BlockList()
  readonly #any: boolean

  /**
   * @param networks addresses (`192.0.2.1`) and networks (`2001:db8::/32`)
   * @throws {TypeError} where one is neither
   */
  constructor(networks: readonly string[] = []) {
    this.#any = networks.length > 0
    for (const network of networks) this.#add(network)
  }

  /** Whether there is any. */
  get any(): boolean {
    return this.#any
  }

  has(address: string): boolean {
    const plain = plainAddress(address)
    return plain !== undefined && this.#list.check(plain, isIPv4(plain) ? "ipv4" : "ipv6")
  }

  /**
   * The address that a request comes from: its connection's, or, where that is a trusted proxy's, the last entry of
   * `X-Forwarded-For` that no trusted proxy stands at. Entries that were not written by a trusted proxy say nothing.
   */
  clientAddress({ socket, headers }: Pick<IncomingMessage, "socket" | "headers">): string | undefined {
    let address = socket.remoteAddress
    if (address === undefined) return undefined
    const entries = `${headers["x-forwarded-for"] ?? ""}`.split(",")
    while (this.has(address)) {
      const before = forwardedAddress(entries.pop())
      // The proxy says nothing that can be understood: it is the last one that is known.
      if (before === undefined) break
      address = before
    }
    return address
  }

  #add(network: string): void {
    const [address, bits, ...rest] = network.trim().split("/")
    const version = isIP(address!)
    const width = version === 4 ? 32 : 128
    const isPrefix = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width)
    if (version === 0 || !isPrefix || rest.length > 0) {
      throw new TypeError(`${network} is neither an address nor a network like 192.0.2.0/24`)
    }
    const family = version === 4 ? "ipv4" : "ipv6"
    this.#list.addSubnet(address!, bits === undefined ? width : Number(bits), family)
  }
}

/** Who asks: see `RequestContext.peer`. */
export function requesterOf(request: IncomingMessage, proxies: TrustedProxies): Requester | undefined {
  return requesterAt(proxies.clientAddress(request))
}

/** Addresses that no other network reaches: where a proxy in front of a service usually is (RFC 1918, 4193, 3927). */
const own = new TrustedProxies(
  "127.0.0.0/8 ::1 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 fc00::/7 fe80::/10".split(" "),
)

/** Whether a request looks as if a proxy had passed it on that was not named as one. */
export function seemsForwarded({ socket, headers }: IncomingMessage): boolean {
  const { remoteAddress } = socket
  return headers["x-forwarded-for"] !== undefined && remoteAddress !== undefined && own.has(remoteAddress)
}

/** An address of IPv4 that is written as one of IPv6 is on the lists of IPv4. */
function plainAddress(address: string): string | undefined {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "")
  return isIP(plain) === 0 ? undefined : plain
}

/** Some proxies add the port. */
function forwardedAddress(entry: string | undefined): string | undefined {
  const text = (entry ?? "").trim()
  const address = /^\[(.+)\](:\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  return isIP(address) === 0 ? undefined : address
}
