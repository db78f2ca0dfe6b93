import type { CapturedPacket } from "./captured-packet.js"
import { dissect } from "./dissect.js"
import type { Carried } from "./layer.js"

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
  /** The capture has not all of the options: a cookie or a timestamp may be missing above. */
  readonly optionsCutOff: boolean
  /** What was captured of the data, and the length of the data in bytes by the IP header. */
  readonly payload: Buffer
  readonly dataBytes: number
}

/** What was read of a packet. */
export type Reading =
  /** `identity` is the same for copies of one packet that were captured at several interfaces. */
  | { readonly kind: "segment"; readonly segment: Segment; readonly identity: string }
  | { readonly kind: "other" }
  | { readonly kind: "unread"; readonly reason: string }

/** Everything in a packet; several results only where a frame carries several packets. Never throws. */
export function readPacket(packet: CapturedPacket): readonly Reading[] {
  const isCut = packet.bytes.length < packet.length
  return dissect(packet).map((found) =>
    found.kind === "tcp" ? readTcp(found.carried, { time: packet.time, isCut }) : found,
  )
}

/** The first TCP segment in a packet; `undefined` where there is none, or none that can be read: `trace` counts those. */
export function parseSegment(packet: CapturedPacket): Segment | undefined {
  for (const reading of readPacket(packet)) if (reading.kind === "segment") return reading.segment
  return undefined
}

const HEADER = 20
/** Ports, sequence number, acknowledgement, length and flags: what tells a connection. */
const HEADER_MIN = 14

/** RFC 9293 §3.1. */
function readTcp(carried: Carried, { time, isCut }: { time: number; isCut: boolean }): Reading {
  const { source, destination, bytes, length, isFragmented } = carried
  if (bytes.length < HEADER_MIN) {
    const how = isCut ? "cut off in its" : isFragmented ? "IP fragment that ends in its" : "malformed"
    return { kind: "unread", reason: `${how} TCP header` }
  }
  const header = (bytes[12]! >> 4) * 4
  if (header < HEADER || (header > length && !isFragmented)) return { kind: "unread", reason: "malformed TCP header" }
  const flags = bytes[13]!
  const segment = {
    time,
    source,
    sourcePort: bytes.readUInt16BE(0),
    destination,
    destinationPort: bytes.readUInt16BE(2),
    sequence: bytes.readUInt32BE(4),
    fin: (flags & 1) !== 0,
    syn: (flags & 2) !== 0,
    rst: (flags & 4) !== 0,
    ack: (flags & 16) !== 0,
    ...parseOptions(bytes.subarray(HEADER, header)),
    optionsCutOff: header > bytes.length,
    payload: bytes.subarray(header),
    dataBytes: Math.max(0, length - header),
  }
  return { kind: "segment", segment, identity: identityOf(carried, header) }
}

/** Hop limit and check sums change on the way through a machine; the addresses, the header and the length do not. */
function identityOf({ source, destination, identification, bytes, length }: Carried, header: number): string {
  const fields = bytes.toString("latin1", 0, 16) + bytes.toString("latin1", 18, header)
  return `${source} ${destination} ${identification} ${length} ${fields}`
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
