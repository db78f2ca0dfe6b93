import type { CapturedPacket } from "./capture-reader.js"

/** One TCP segment as an observer sees it. */
export interface Segment {
  readonly time: number
  readonly source: string
  readonly sourcePort: number
  readonly destination: string
  readonly destinationPort: number
  readonly sequence: number
  readonly syn: boolean
  readonly ack: boolean
  readonly fin: boolean
  readonly rst: boolean
  /** RFC 7413 §4.1.1: `undefined` without the option, empty for a request. */
  readonly fastOpenCookie: Buffer | undefined
  /** RFC 7323 §3.2. */
  readonly timestamp: number | undefined
  readonly payload: Buffer
}

/** `undefined` for anything that is not a TCP segment over IPv4 or IPv6, or is cut off before its end of header. */
export function parseSegment(packet: CapturedPacket): Segment | undefined {
  const ip = networkPacket(packet)
  const inner = ip && (ip[0]! >> 4 === 4 ? parseIpv4(ip) : ip[0]! >> 4 === 6 ? parseIpv6(ip) : undefined)
  return inner && parseTcp(inner, packet.time)
}

const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd
const vlanTags = new Set([0x8100, 0x88a8])

/** Where the network header begins, by link type (https://www.tcpdump.org/linktypes.html). */
const networkOffsets: Readonly<Record<number, (bytes: Buffer) => number | undefined>> = {
  0: () => 4,
  1: ethernetOffset,
  12: () => 0,
  14: () => 0,
  101: () => 0,
  108: () => 4,
  113: (bytes) => (isIp(bytes, 14) ? 16 : undefined),
  228: () => 0,
  229: () => 0,
  276: (bytes) => (isIp(bytes, 0) ? 20 : undefined),
}

function networkPacket({ linkType, bytes }: CapturedPacket): Buffer | undefined {
  const offset = networkOffsets[linkType]?.(bytes)
  if (offset === undefined || offset >= bytes.length) return undefined
  return bytes.subarray(offset)
}

function ethernetOffset(bytes: Buffer): number | undefined {
  let at = 12
  while (at + 2 <= bytes.length && vlanTags.has(bytes.readUInt16BE(at))) at += 4
  return isIp(bytes, at) ? at + 2 : undefined
}

function isIp(bytes: Buffer, at: number): boolean {
  if (at + 2 > bytes.length) return false
  const type = bytes.readUInt16BE(at)
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6
}

interface Inner {
  readonly source: string
  readonly destination: string
  readonly tcp: Buffer
}

const PROTOCOL_TCP = 6

function parseIpv4(bytes: Buffer): Inner | undefined {
  const header = (bytes[0]! & 15) * 4
  if (bytes.length < 20 || header < 20 || header > bytes.length || bytes[9] !== PROTOCOL_TCP) return undefined
  // Only a first fragment has the TCP header.
  if ((bytes.readUInt16BE(6) & 0x1fff) !== 0) return undefined
  // A length of 0 is written by captures of packets that the network card was to cut up.
  const total = bytes.readUInt16BE(2) || bytes.length
  const address = (at: number) => bytes.subarray(at, at + 4).join(".")
  return { source: address(12), destination: address(16), tcp: bytes.subarray(header, Math.max(header, total)) }
}

const IPV6_HEADER = 40
const EXTENSIONS_MAX = 8
const FRAGMENT = 44
const AUTHENTICATION = 51
/** Hop-by-hop, routing, destination options: RFC 8200 §4. */
const extensions = new Set([0, 43, 60])

function parseIpv6(bytes: Buffer): Inner | undefined {
  if (bytes.length < IPV6_HEADER) return undefined
  const total = IPV6_HEADER + (bytes.readUInt16BE(4) || bytes.length - IPV6_HEADER)
  let next = bytes[6]!
  let at = IPV6_HEADER
  for (let n = 0; next !== PROTOCOL_TCP; n++) {
    if (n === EXTENSIONS_MAX || at + 8 > bytes.length) return undefined
    if (next === FRAGMENT) {
      if ((bytes.readUInt16BE(at + 2) & 0xfff8) !== 0) return undefined
      next = bytes[at]!
      at += 8
    } else if (extensions.has(next) || next === AUTHENTICATION) {
      const length = next === AUTHENTICATION ? (bytes[at + 1]! + 2) * 4 : (bytes[at + 1]! + 1) * 8
      next = bytes[at]!
      at += length
    } else {
      return undefined
    }
  }
  const tcp = bytes.subarray(at, Math.max(at, total))
  return { source: formatIpv6(bytes.subarray(8, 24)), destination: formatIpv6(bytes.subarray(24, 40)), tcp }
}

/** RFC 5952: lower case, no leading zeros, the first longest run of zero groups as `::`. */
export function formatIpv6(address: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, n) => address.readUInt16BE(n * 2).toString(16))
  const runs = [...groups.join(":").matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)]
  const longest = runs.reduce<RegExpExecArray | undefined>(
    (best, run) => (best === undefined || run[0].length > best[0].length ? run : best),
    undefined,
  )
  if (longest === undefined) return groups.join(":")
  const text = groups.join(":")
  const before = text.slice(0, longest.index).replace(/:$/, "")
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, "")
  return `${before}::${after}`
}

function parseTcp({ source, destination, tcp }: Inner, time: number): Segment | undefined {
  if (tcp.length < 20) return undefined
  const header = (tcp[12]! >> 4) * 4
  if (header < 20 || header > tcp.length) return undefined
  const flags = tcp[13]!
  return {
    time,
    source,
    sourcePort: tcp.readUInt16BE(0),
    destination,
    destinationPort: tcp.readUInt16BE(2),
    sequence: tcp.readUInt32BE(4),
    fin: (flags & 1) !== 0,
    syn: (flags & 2) !== 0,
    rst: (flags & 4) !== 0,
    ack: (flags & 16) !== 0,
    ...parseOptions(tcp.subarray(20, header)),
    payload: tcp.subarray(header),
  }
}

const OPTION_END = 0
const OPTION_NOTHING = 1
const OPTION_TIMESTAMP = 8
const OPTION_FAST_OPEN = 34
const OPTION_EXPERIMENT = 254
/** RFC 7413 §4.1.1 in its experimental form (RFC 6994). */
const EXPERIMENT_FAST_OPEN = 0xf989

function parseOptions(options: Buffer): Pick<Segment, "fastOpenCookie" | "timestamp"> {
  let fastOpenCookie: Buffer | undefined
  let timestamp: number | undefined
  for (let at = 0; at < options.length; ) {
    const kind = options[at]!
    if (kind === OPTION_END) break
    if (kind === OPTION_NOTHING) {
      at++
      continue
    }
    const length = options[at + 1] ?? 0
    if (length < 2 || at + length > options.length) break
    const value = options.subarray(at + 2, at + length)
    if (kind === OPTION_TIMESTAMP && value.length === 8) timestamp = value.readUInt32BE(0)
    if (kind === OPTION_FAST_OPEN) fastOpenCookie = value
    if (kind === OPTION_EXPERIMENT && value.length >= 2 && value.readUInt16BE(0) === EXPERIMENT_FAST_OPEN) {
      fastOpenCookie = value.subarray(2)
    }
    at += length
  }
  return { fastOpenCookie, timestamp }
}
