import { formatIpv4, formatIpv6 } from "./addresses.js"
import { type Carried, hexadecimal, malformed, next, other, type Step, short, unread } from "./layer.js"

/** Either version, by its first bits. */
export function ip(bytes: Buffer): Step {
  if (bytes.length === 0) return short("IP")
  const version = bytes[0]! >> 4
  if (version === 4) return next("ipv4", bytes)
  return version === 6 ? next("ipv6", bytes) : unread(`IP version ${version}`)
}

const IPV4_HEADER = 20
const MORE_FRAGMENTS = 0x2000
const FRAGMENT_OFFSET = 0x1fff

/** RFC 791 §3.1. */
export function ipv4(bytes: Buffer, missing: number): Step {
  if (bytes.length < IPV4_HEADER) return short("IPv4")
  const header = (bytes[0]! & 15) * 4
  const total = bytes.readUInt16BE(2)
  if (bytes[0]! >> 4 !== 4 || header < IPV4_HEADER || (total !== 0 && total < header)) return malformed("IPv4")
  if (header > bytes.length) return short("IPv4")
  // A length of 0 is written by captures of packets that the network card was to cut up.
  const length = total === 0 ? bytes.length + missing : total
  const fragment = bytes.readUInt16BE(6)
  return protocol(bytes[9]!, {
    source: formatIpv4(bytes.subarray(12, 16)),
    destination: formatIpv4(bytes.subarray(16, 20)),
    identification: bytes.readUInt16BE(4),
    bytes: bytes.subarray(header, length),
    length: length - header,
    fragmentOffset: fragment & FRAGMENT_OFFSET,
    isFragmented: (fragment & MORE_FRAGMENTS) !== 0,
    extensions: 0,
  })
}

const IPV6_HEADER = 40

/** RFC 8200 §3. */
export function ipv6(bytes: Buffer, missing: number): Step {
  if (bytes.length < IPV6_HEADER) return short("IPv6")
  if (bytes[0]! >> 4 !== 6) return malformed("IPv6")
  // 0 where the network card was to cut the packet up, and for a jumbogram (RFC 2675).
  const length = bytes.readUInt16BE(4) || bytes.length + missing - IPV6_HEADER
  return protocol(bytes[6]!, {
    source: formatIpv6(bytes.subarray(8, 24)),
    destination: formatIpv6(bytes.subarray(24, 40)),
    identification: undefined,
    bytes: bytes.subarray(IPV6_HEADER, IPV6_HEADER + length),
    length,
    fragmentOffset: 0,
    isFragmented: false,
    extensions: 0,
  })
}

/** What an IP header carries. */
interface Body extends Carried {
  /** In units of 8 bytes. */
  readonly fragmentOffset: number
  /** Extension headers so far. */
  readonly extensions: number
}

const EXTENSIONS_MAX = 16
const FRAGMENT = 44
const AUTHENTICATION = 51
/** Hop-by-hop options, routing, destination options (RFC 8200 §4), mobility, host identity, shim6: of one form. */
const extensionHeaders = new Set([0, 43, 60, 135, 139, 140])

/** ICMP, IGMP, EGP, IGP, DCCP, RSVP, ICMPv6, none, EIGRP, OSPF, PIM, VRRP, SCTP, UDP-Lite. */
const withoutTcp = new Set([1, 2, 8, 9, 33, 46, 58, 59, 88, 89, 103, 112, 132, 136])

const unreadNames: ReadonlyMap<number, string> = new Map([
  [50, "encrypted (ESP)"],
  [108, "compressed (IPComp)"],
  [115, "L2TPv3 (IP protocol 115)"],
])

/** RFC 3378: 2 bytes of version before the frame. */
const ETHERIP_HEADER = 2

/** Numbers of https://www.iana.org/assignments/protocol-numbers. */
function protocol(number: number, body: Body): Step {
  if (withoutTcp.has(number)) return other
  if (number !== FRAGMENT && body.fragmentOffset !== 0) {
    return number === 17 ? other : unread("IP fragment without its first headers")
  }
  const { bytes } = body
  switch (number) {
    case 4:
      return next("ipv4", bytes)
    case 6:
      return { kind: "tcp", carried: body }
    case 17:
      return udp(bytes)
    case 41:
      return next("ipv6", bytes)
    case 47:
      return next("gre", bytes)
    case 97:
      return bytes.length < ETHERIP_HEADER ? short("EtherIP") : next("ethernet", bytes.subarray(ETHERIP_HEADER))
    case 137:
      return next("mpls", bytes)
  }
  if (number === FRAGMENT || number === AUTHENTICATION || extensionHeaders.has(number)) return extension(number, body)
  return unread(unreadNames.get(number) ?? `IP protocol ${number}`)
}

/** RFC 8200 §4 and RFC 4302 §2: a header that names the protocol after it. */
function extension(number: number, body: Body): Step {
  const { bytes, extensions } = body
  if (extensions >= EXTENSIONS_MAX) return unread(`more than ${EXTENSIONS_MAX} IP extension headers`)
  if (bytes.length < 8) return short("IP extension")
  const units = bytes[1]!
  const length = number === FRAGMENT ? 8 : number === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8
  if (length > body.length) return malformed("IP extension")
  if (length > bytes.length) return short("IP extension")
  const offset = bytes.readUInt16BE(2)
  return protocol(bytes[0]!, {
    ...body,
    ...(number === FRAGMENT && { fragmentOffset: offset >> 3, isFragmented: (offset & 1) === 1 }),
    bytes: bytes.subarray(length),
    length: body.length - length,
    extensions: extensions + 1,
  })
}

const unreadPorts: ReadonlyMap<number, string> = new Map([
  [1194, "OpenVPN (UDP port 1194)"],
  [1701, "L2TP (UDP port 1701)"],
  [2152, "GTP-U (UDP port 2152)"],
  [3544, "Teredo (UDP port 3544)"],
  [4341, "LISP (UDP port 4341)"],
  [4500, "encrypted (ESP in UDP)"],
  [6635, "MPLS in UDP (UDP port 6635)"],
  [51820, "encrypted (WireGuard, UDP port 51820)"],
])

/** Tunnels that are read are known by the destination's port, as their standards say; the others by either port. */
function udp(bytes: Buffer): Step {
  if (bytes.length < 8) return short("UDP")
  const [source, destination] = [bytes.readUInt16BE(0), bytes.readUInt16BE(2)]
  const body = bytes.subarray(8)
  switch (destination) {
    case 4789:
    // Linux without a port of its own.
    case 8472:
      return next("vxlan", body)
    case 4790:
      return next("vxlan-gpe", body)
    case 6081:
      return next("geneve", body)
  }
  // RFC 3948 §2.2: four zero bytes mark the key exchange, which shares the port of ESP in UDP.
  if (destination === 4500 && body.length >= 4 && body.readUInt32BE() === 0) return other
  const name = unreadPorts.get(destination) ?? unreadPorts.get(source) ?? (isQuic(body) ? QUIC : undefined)
  // A single byte keeps a translation of addresses alive (RFC 3948 §2.3).
  return name === undefined || body.length <= 1 ? other : unread(name)
}

/** Its tokens and tickets link connections, too, and are not looked for. */
const QUIC = "QUIC (UDP)"
/** Of version 1, 2 (RFC 9369) and the drafts, without their last byte. */
const QUIC_VERSIONS = new Set([0x000000, 0x6b3343, 0xff0000])
const QUIC_HEADER_MIN = 7

/** RFC 9000 §17.2: a long header, as those of a handshake are. What comes after it looks like anything. */
function isQuic(body: Buffer): boolean {
  if (body.length < QUIC_HEADER_MIN || (body[0]! & 0xc0) !== 0xc0) return false
  const [version, connectionId] = [body.readUInt32BE(1), body[5]!]
  return version !== 0 && QUIC_VERSIONS.has(version >>> 8) && connectionId <= 20
}

const GRE_CHECKSUM = 0x8000
const GRE_ROUTING = 0x4000
const GRE_KEY = 0x2000
const GRE_SEQUENCE = 0x1000
const GRE_ACKNOWLEDGEMENT = 0x0080
const GRE_VERSION = 0x0007

/** RFC 2784 and 2890; version 1 is that of PPTP (RFC 2637 §4.1), where a packet without a number has no payload. */
export function gre(bytes: Buffer): Step {
  if (bytes.length < 4) return short("GRE")
  const flags = bytes.readUInt16BE()
  const version = flags & GRE_VERSION
  if (version > 1) return unread(`GRE of version ${version}`)
  if ((flags & GRE_ROUTING) !== 0) return unread("GRE with source routes")
  if (version === 1 && (flags & GRE_SEQUENCE) === 0) return other
  const optional = [GRE_CHECKSUM, GRE_KEY, GRE_SEQUENCE, ...(version === 1 ? [GRE_ACKNOWLEDGEMENT] : [])]
  const length = 4 + 4 * optional.filter((flag) => (flags & flag) !== 0).length
  if (length > bytes.length) return short("GRE")
  const type = bytes.readUInt16BE(2)
  // Keepalives of Cisco's routers.
  if (type === 0) return other
  // ERSPAN of type I: mirrored frames without a header of their own and without a number.
  if (type === 0x88be && (flags & GRE_SEQUENCE) === 0) return next("ethernet", bytes.subarray(length))
  return next("ethertype", Buffer.concat([bytes.subarray(2, 4), bytes.subarray(length)]))
}

/** RFC 7348 §5. */
export function vxlan(bytes: Buffer): Step {
  if (bytes.length < 8) return short("VXLAN")
  return (bytes[0]! & 0x08) === 0 ? unread("UDP port of VXLAN without its header") : next("ethernet", bytes.subarray(8))
}

/** draft-ietf-nvo3-vxlan-gpe §3: the last byte before the network's number says what follows. */
export function vxlanGpe(bytes: Buffer): Step {
  if (bytes.length < 8) return short("VXLAN-GPE")
  const body = bytes.subarray(8)
  switch (bytes[3]) {
    case 1:
      return next("ipv4", body)
    case 2:
      return next("ipv6", body)
    case 3:
      return next("ethernet", body)
  }
  return unread(`VXLAN-GPE protocol ${bytes[3]}`)
}

/** RFC 8926 §3.4: version and length of options, flags, the type of what follows. */
export function geneve(bytes: Buffer): Step {
  if (bytes.length < 8) return short("Geneve")
  if (bytes[0]! >> 6 !== 0) return unread(`Geneve of version ${bytes[0]! >> 6}`)
  const length = 8 + (bytes[0]! & 0x3f) * 4
  if (length > bytes.length) return short("Geneve")
  const type = bytes.readUInt16BE(2)
  if (type < 0x0600) return unread(`Geneve protocol ${hexadecimal(type)}`)
  return next("ethertype", Buffer.concat([bytes.subarray(2, 4), bytes.subarray(length)]))
}
