import type { Requester } from "./share.js"

/** Bits of an address that make a requester, by the width and the version of the protocol. */
const WIDTHS = { peer: { 4: 32, 6: 56 }, network: { 4: 24, 6: 48 } } as const

/**
 * Who asks from `address`: by itself (an IPv4 address, or 56 bits of IPv6, which is one household or office), and by its
 * network (24 bits of IPv4, 48 of IPv6, which one customer of a provider may hold). An IPv4 address that a listener of
 * IPv6 reports (`::ffff:192.0.2.1`) is the same as itself. `undefined` for anything but an address.
 */
export function requesterAt(address: string | undefined): Requester | undefined {
  const bytes = address === undefined ? undefined : addressBytes(address)
  if (bytes === undefined) return undefined
  return { peer: prefix(bytes, "peer"), network: prefix(bytes, "network") }
}

function prefix(bytes: Uint8Array, width: keyof typeof WIDTHS): string {
  const version = bytes.length === 4 ? 4 : 6
  const text = Array.from(bytes.subarray(0, WIDTHS[width][version] / 8), (byte) => byte.toString(16).padStart(2, "0"))
  return `${version}${text.join("")}`
}

/** The 4 or 16 bytes of an address, 4 for one of IPv4 that is written as one of IPv6. `undefined` for other text. */
export function addressBytes(address: string): Uint8Array | undefined {
  const plain = address.replace(/%.*$/, "")
  const four = fourBytes(plain)
  if (four !== undefined) return four
  const sixteen = sixteenBytes(plain)
  if (sixteen === undefined) return undefined
  const isMapped = sixteen.subarray(0, 10).every((byte) => byte === 0) && sixteen[10] === 255 && sixteen[11] === 255
  return isMapped ? sixteen.subarray(12) : sixteen
}

function fourBytes(text: string): Uint8Array | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined
  const bytes = text.split(".").map(Number)
  return bytes.every((byte) => byte < 256) ? Uint8Array.from(bytes) : undefined
}

function sixteenBytes(text: string): Uint8Array | undefined {
  const lastColon = text.lastIndexOf(":")
  const tail = fourBytes(text.slice(lastColon + 1))
  if (tail !== undefined) {
    const [a, b, c, d] = tail as unknown as [number, number, number, number]
    const groups = [(a << 8) | b, (c << 8) | d].map((group) => group.toString(16))
    return sixteenBytes(`${text.slice(0, lastColon + 1)}${groups.join(":")}`)
  }
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const [before, after] = halves.map((half) => (half === "" ? [] : half.split(":")))
  const missing = 8 - before!.length - (after?.length ?? 0)
  if (after === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...before!, ...Array<string>(missing).fill("0"), ...(after ?? [])]
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return Uint8Array.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]))
}
