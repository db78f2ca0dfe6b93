import { addressBytes } from "@conclave/transport/parts"

/**
 * The network that a token is bound to: 24 bits of IPv4, 56 of IPv6, which is what one household or office holds, after
 * one byte for the version. An IPv4 address that a listener of IPv6 reports (`::ffff:192.0.2.1`) is the same as itself.
 * @throws {TypeError} for anything but an address
 */
export function prefixOf(address: string): Uint8Array {
  const bytes = addressBytes(address)
  if (bytes === undefined) throw new TypeError("an IP address is needed")
  return bytes.length === 4 ? Uint8Array.of(4, ...bytes.subarray(0, 3)) : Uint8Array.of(6, ...bytes.subarray(0, 7))
}
