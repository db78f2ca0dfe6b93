import { isIPv4, isIPv6 } from "node:net"

/**
 * The network that an address stands for: 24 bits of IPv4, 56 of IPv6, which is what one household or office holds.
 * An IPv4 address that a listener of IPv6 reports (`::ffff:192.0.2.1`) is the same as itself. Throws `TypeError` for
 * anything but an address.
 */
export function prefixOf(address: string): Uint8Array {
  const plain = address
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.)/, "")
    .replace(/%.*$/, "")
  if (isIPv4(plain)) return Uint8Array.from([4, ...plain.split(".").slice(0, 3).map(Number)])
  if (!isIPv6(plain)) throw new TypeError("an IP address is needed")
  const [before, after] = plain.split("::") as [string, string | undefined]
  const head = before === "" ? [] : before.split(":")
  const tail = after === undefined || after === "" ? [] : after.split(":")
  const groups =
    after === undefined ? head : [...head, ...Array(Math.max(0, 8 - head.length - tail.length)).fill("0"), ...tail]
  const octets = groups.slice(0, 4).flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 255]
  })
  return Uint8Array.from([6, ...octets.slice(0, 7)])
}

/** The same for `RequestContext.peer`; `undefined` for this machine's own addresses, behind which anybody may be. */
export function peerAt(address: string | undefined): string | undefined {
  if (address === undefined || /^(::ffff:)?127\.|^::1$/i.test(address)) return undefined
  return Buffer.from(prefixOf(address)).toString("hex")
}
