import { hexadecimal, type Layer, malformed, next, other, type Step, short, unread } from "./layer.js"

/** Where reading a packet begins, by link type (https://www.tcpdump.org/linktypes.html). */
export const linkTypes: ReadonlyMap<number, Layer> = new Map<number, Layer>([
  [0, loopback],
  [1, (bytes) => next("ethernet", bytes)],
  [9, (bytes) => next("ppp", bytes)],
  [12, (bytes) => next("ip", bytes)],
  [14, (bytes) => next("ip", bytes)],
  [50, (bytes) => next("ppp", bytes)],
  [51, (bytes) => next("pppoe", bytes)],
  [101, (bytes) => next("ip", bytes)],
  [104, ciscoHdlc],
  [105, (bytes) => next("ieee80211", bytes)],
  [108, loopback],
  [113, linuxCooked],
  [127, radiotap],
  [149, (bytes) => (isPktap(bytes) ? pktap(bytes) : unread("link type 149"))],
  [166, afterDirection],
  [192, ppi],
  [204, afterDirection],
  [219, (bytes) => next("mpls", bytes)],
  [228, (bytes) => next("ipv4", bytes)],
  [229, (bytes) => next("ipv6", bytes)],
  [239, nflog],
  [258, (bytes) => (bytes.length < 12 ? short("PKTAP") : isPktap(bytes) ? pktap(bytes) : malformed("PKTAP"))],
  [276, linuxCooked2],
])

const FAMILY_IPV4 = 2
/** Linux, NetBSD and OpenBSD, FreeBSD, macOS. */
const familiesIpv6 = new Set([10, 24, 28, 30])

/** Link types 0 and 108: the address family, in the byte order of either machine. */
function loopback(bytes: Buffer): Step {
  if (bytes.length < 4) return short("loopback")
  const family = Math.min(bytes.readUInt32LE(), bytes.readUInt32BE())
  return byFamily(family, bytes.subarray(4))
}

function byFamily(family: number, bytes: Buffer): Step {
  if (family === FAMILY_IPV4) return next("ipv4", bytes)
  return familiesIpv6.has(family) ? next("ipv6", bytes) : unread(`address family ${family}`)
}

function ciscoHdlc(bytes: Buffer): Step {
  return bytes.length < 4 ? short("HDLC") : next("ethertype", bytes.subarray(2))
}

/** The direction, 1 byte, before PPP. */
function afterDirection(bytes: Buffer): Step {
  return bytes.length < 1 ? short("PPP") : next("ppp", bytes.subarray(1))
}

const ARPHRD_80211 = 801
const ARPHRD_80211_RADIOTAP = 803
const ARPHRD_NETLINK = 824
const PROTOCOL_NOVELL = 0x0001
const PROTOCOL_LLC = 0x0004

function linuxCooked(bytes: Buffer): Step {
  if (bytes.length < 16) return short("SLL")
  return cooked(bytes.readUInt16BE(2), bytes.subarray(14))
}

function linuxCooked2(bytes: Buffer): Step {
  if (bytes.length < 20) return short("SLL2")
  return cooked(bytes.readUInt16BE(8), Buffer.concat([bytes.subarray(0, 2), bytes.subarray(20)]))
}

/** `bytes` begin with the protocol, which the kind of interface says how to understand. */
function cooked(hardware: number, bytes: Buffer): Step {
  if (hardware === ARPHRD_NETLINK) return other
  if (hardware === ARPHRD_80211) return next("ieee80211", bytes.subarray(2))
  if (hardware === ARPHRD_80211_RADIOTAP) return radiotap(bytes.subarray(2))
  const protocol = bytes.readUInt16BE()
  if (protocol === PROTOCOL_NOVELL) return other
  if (protocol === PROTOCOL_LLC) return next("llc", bytes.subarray(2))
  return protocol < 0x0600 ? unread(`SLL protocol ${hexadecimal(protocol)}`) : next("ethertype", bytes)
}

const RADIOTAP_TIME = 1
const RADIOTAP_FLAGS = 2
const RADIOTAP_MORE = 0x80000000
const FLAG_PADDED = 0x20

/** https://www.radiotap.org: a version of 0, the length, little-endian, and fields of which one matters here. */
function radiotap(bytes: Buffer): Step {
  if (bytes.length < 8) return short("radiotap")
  const length = bytes.readUInt16LE(2)
  if (bytes[0] !== 0 || length < 8) return malformed("radiotap")
  if (length > bytes.length) return short("radiotap")
  const frame = bytes.subarray(length)
  return next("ieee80211", isPadded(bytes.subarray(0, length)) ? withoutPadding(frame) : frame)
}

/** Whether the header of 802.11 is filled up to a multiple of 4 bytes. */
function isPadded(header: Buffer): boolean {
  let at = 4
  while (at + 4 <= header.length && (header.readUInt32LE(at) & RADIOTAP_MORE) !== 0) at += 4
  at += 4
  const present = header.readUInt32LE(4)
  if ((present & RADIOTAP_FLAGS) === 0) return false
  if ((present & RADIOTAP_TIME) !== 0) at = Math.ceil(at / 8) * 8 + 8
  return ((header[at] ?? 0) & FLAG_PADDED) !== 0
}

/** Only a header with the 2 bytes of quality of service needs padding: 26 or 30 bytes and 2 of padding. */
function withoutPadding(frame: Buffer): Buffer {
  const control = frame[0] ?? 0
  if ((control & 0x8c) !== 0x88) return frame
  const length = ((frame[1] ?? 0) & 3) === 3 ? 32 : 26
  return length % 4 === 0 ? frame : Buffer.concat([frame.subarray(0, length), frame.subarray(length + 2)])
}

/** Per-packet information: version, flags, length and the link type that follows, little-endian. */
function ppi(bytes: Buffer): Step {
  if (bytes.length < 8) return short("PPI")
  const length = bytes.readUInt16LE(2)
  if (length < 8) return malformed("PPI")
  return length > bytes.length
    ? short("PPI")
    : { kind: "link", linkType: bytes.readUInt32LE(4), bytes: bytes.subarray(length) }
}

const NFLOG_PAYLOAD = 9

/** Family, version and resource; then fields of length, type and value, in the byte order of the machine. */
function nflog(bytes: Buffer): Step {
  if (bytes.length < 4) return short("NFLOG")
  if (bytes[1] !== 0) return malformed("NFLOG")
  for (const uint16 of [(at: number) => bytes.readUInt16LE(at), (at: number) => bytes.readUInt16BE(at)]) {
    for (let at = 4; at + 4 <= bytes.length; ) {
      const length = uint16(at)
      if (length < 4) break
      // The payload is the last field, so a cut shortens it.
      if (uint16(at + 2) === NFLOG_PAYLOAD) {
        const payload = bytes.subarray(at + 4, at + length)
        return bytes[0] === 0 || bytes[0] === 7 ? next("ip", payload) : byFamily(bytes[0]!, payload)
      }
      at += Math.ceil(length / 4) * 4
    }
  }
  return short("NFLOG")
}

const PKTAP_HEADER = 108

/** Apple's own header: its length, a record type (1 for a packet) and the link type that follows. */
function isPktap(bytes: Buffer): boolean {
  return bytes.length >= 12 && bytes.readUInt32LE() >= PKTAP_HEADER && bytes.readUInt32LE() < 0x1000
}

function pktap(bytes: Buffer): Step {
  const length = bytes.readUInt32LE()
  if (bytes.readUInt32LE(4) !== 1) return other
  return length > bytes.length
    ? short("PKTAP")
    : { kind: "link", linkType: bytes.readUInt32LE(8), bytes: bytes.subarray(length) }
}
