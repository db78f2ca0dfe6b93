import { hexadecimal, malformed, next, other, type Step, short, unread } from "./layer.js"

export function ethernet(bytes: Buffer): Step {
  return bytes.length < 14 ? short("Ethernet") : typeOrLength(bytes.subarray(12))
}

const LENGTH_MAX = 1500

/** IEEE 802.3 §3.2.6: up to 1,500 it is the length of a frame of LLC, from 1,536 on a type. */
function typeOrLength(bytes: Buffer): Step {
  const value = bytes.readUInt16BE()
  return value <= LENGTH_MAX ? next("llc", bytes.subarray(2, 2 + value)) : next("ethertype", bytes)
}

/** Types of frames that carry no IP: ARP, LLDP and others of the link, of industry, and of home networks. */
const withoutIp = new Set([
  ...[0x0806, 0x0842, 0x22f0, 0x6002, 0x6003, 0x8035, 0x809b, 0x80f3, 0x8137, 0x8138, 0x8808, 0x8809, 0x8863],
  ...[0x887b, 0x888e, 0x8892, 0x8899, 0x88a4, 0x88b8, 0x88ba, 0x88cc, 0x88cd, 0x88d9, 0x88e1, 0x88e3, 0x88f5, 0x88f6],
  ...[0x88f7, 0x8902, 0x8906, 0x890d, 0x8912, 0x8914, 0x8915, 0x893a, 0x9000],
])

const unreadNames: ReadonlyMap<number, string> = new Map([
  [0x22eb, "ERSPAN III"],
  [0x88e5, "MACsec"],
  [0x88e7, "provider backbone bridging"],
  [0x893f, "802.1BR tag"],
  [0x894f, "network service header"],
])

/** `bytes` begin with the type, 2 bytes. */
export function ethertype(bytes: Buffer): Step {
  if (bytes.length < 2) return short("Ethernet")
  const type = bytes.readUInt16BE()
  const body = bytes.subarray(2)
  switch (type) {
    case 0x0800:
      return next("ipv4", body)
    case 0x86dd:
      return next("ipv6", body)
    case 0x8100:
    case 0x88a8:
    case 0x9100:
    case 0x9200:
      return body.length < 4 ? short("VLAN") : typeOrLength(body.subarray(2))
    case 0x8847:
    case 0x8848:
      return next("mpls", body)
    case 0x8864:
      return next("pppoe", body)
    case 0x880b:
      return next("ppp", body)
    case 0x6558:
      return next("ethernet", body)
    case 0x88be:
      return erspan(body)
  }
  if (withoutIp.has(type)) return other
  const name = unreadNames.get(type)
  return unread(`ethertype ${hexadecimal(type)}${name === undefined ? "" : ` (${name})`}`)
}

/** A mirrored frame after GRE. Type II begins with a version of 1; type I has no header, and frames begin otherwise. */
function erspan(bytes: Buffer): Step {
  if (bytes.length < 8) return short("ERSPAN")
  return next("ethernet", bytes[0]! >> 4 === 1 ? bytes.subarray(8) : bytes)
}

const SNAP = 0xaa
/** IEEE 802.2: IP without SNAP. */
const LLC_IP = 0x06
/** Spanning tree, NetWare, NetBIOS, OSI routing, and the null service. */
const llcWithoutIp = new Set([0x00, 0x42, 0xe0, 0xf0, 0xfe, 0xff])

/** IEEE 802.2 with SNAP (RFC 1042). */
export function llc(bytes: Buffer): Step {
  if (bytes.length < 3) return short("LLC")
  const service = bytes[0]!
  if (service === LLC_IP) return next("ip", bytes.subarray(3))
  if (service !== SNAP) return llcWithoutIp.has(service) ? other : unread(`LLC service ${hexadecimal(service, 2)}`)
  if (bytes.length < 8) return short("SNAP")
  const organisation = bytes.readUIntBE(3, 3)
  // Bridges put the types of Ethernet into either of the two.
  if (organisation === 0 || organisation === 0x0000f8) return next("ethertype", bytes.subarray(6))
  // Cisco's discovery, VLAN trunk and spanning tree protocols.
  if (organisation === 0x00000c) return other
  return unread(`SNAP of organisation ${hexadecimal(organisation, 6)}`)
}

/** RFC 2516 §4: version and type, code (0 in a session), session id, length. */
export function pppoe(bytes: Buffer): Step {
  if (bytes.length < 6) return short("PPPoE")
  if (bytes[0] !== 0x11) return malformed("PPPoE")
  if (bytes[1] !== 0) return other
  return next("ppp", bytes.subarray(6, 6 + bytes.readUInt16BE(4)))
}

/** First of all PPP protocols that only negotiate (RFC 1661 §2): their numbers begin with 8 to f. */
const PPP_CONTROL = 0x8000

const pppUnread: ReadonlyMap<number, string> = new Map([
  [0x002d, "compressed (PPP, Van Jacobson)"],
  [0x002f, "compressed (PPP, Van Jacobson)"],
  [0x003d, "PPP multilink fragment"],
  [0x0053, "encrypted (PPP)"],
  [0x0055, "encrypted (PPP)"],
  [0x00fb, "compressed (PPP)"],
  [0x00fd, "compressed or encrypted (PPP)"],
])

/** RFC 1661 and 1662: address and control may be left out, and the protocol's first byte where it is 0. */
export function ppp(bytes: Buffer): Step {
  const at = bytes.length >= 2 && bytes[0] === 0xff && bytes[1] === 0x03 ? 2 : 0
  const first = bytes[at]
  if (first === undefined) return short("PPP")
  const isCompressed = (first & 1) === 1
  if (!isCompressed && bytes.length < at + 2) return short("PPP")
  const protocol = isCompressed ? first : bytes.readUInt16BE(at)
  const body = bytes.subarray(at + (isCompressed ? 1 : 2))
  switch (protocol) {
    case 0x0021:
      return next("ipv4", body)
    case 0x0057:
      return next("ipv6", body)
    case 0x0031:
      return body.length < 2 ? short("bridged PPP") : bridged(body)
    case 0x0281:
    case 0x0283:
      return next("mpls", body)
  }
  if (protocol >= PPP_CONTROL) return other
  return unread(pppUnread.get(protocol) ?? `PPP protocol ${hexadecimal(protocol)}`)
}

/** RFC 3518 §4.2: flags with the length of padding, the kind of network (1 for Ethernet), the frame. */
function bridged(bytes: Buffer): Step {
  return bytes[1] === 1 ? next("ethernet", bytes.subarray(2)) : unread(`bridged PPP of network ${bytes[1]}`)
}

const MPLS_BOTTOM = 0x100

/** RFC 3032 §2: labels of 4 bytes, the last one marked. What follows is known by its first bits only (RFC 4928 §2). */
export function mpls(bytes: Buffer): Step {
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    if ((bytes.readUInt32BE(at) & MPLS_BOTTOM) === 0) continue
    const body = bytes.subarray(at + 4)
    if (body.length === 0) return short("MPLS")
    const version = body[0]! >> 4
    if (isFrame(body)) return next("ethernet", body)
    if (version === 4 || version === 6) return next("ip", body)
    // RFC 4385 §3: a control word before the frame of a pseudowire; a first nibble of 1 is about the pseudowire itself.
    if (version === 0 && isFrame(body.subarray(4))) return next("ethernet", body.subarray(4))
    return version === 1 ? other : unread("MPLS with an unknown payload")
  }
  return short("MPLS")
}

const frameTypes = new Set([0x0800, 0x86dd, 0x8100, 0x88a8])

/** An address may begin with 4 or 6, as IP does; then the IP header's own fields have to be wrong. */
function isFrame(bytes: Buffer): boolean {
  if (bytes.length < 15 || !frameTypes.has(bytes.readUInt16BE(12))) return false
  return !(bytes[0] === 0x45 && bytes[8] !== 0 && (bytes[9] === 6 || bytes[9] === 17) && bytes.readUInt16BE(2) >= 40)
}
