import { next, other, type Step, short, unread } from "./layer.js"

const TYPE_DATA = 2
const TO_AND_FROM = 0x03
const PROTECTED = 0x40
const ORDER = 0x80
const SUBTYPE_QOS = 0x80
const SUBTYPE_NO_DATA = 0x40
const QOS_AGGREGATE = 0x80

/** IEEE 802.11 §9.2: only frames of data carry IP, after a header of 24 to 36 bytes and an LLC header. */
export function ieee80211(bytes: Buffer, missing: number): Step {
  if (bytes.length < 2) return short("802.11")
  const [control, flags] = [bytes[0]!, bytes[1]!]
  if (((control >> 2) & 3) !== TYPE_DATA || (control & SUBTYPE_NO_DATA) !== 0) return other
  const hasQos = (control & SUBTYPE_QOS) !== 0
  const qosAt = (flags & TO_AND_FROM) === TO_AND_FROM ? 30 : 24
  const length = qosAt + (hasQos ? 2 + ((flags & ORDER) !== 0 ? 4 : 0) : 0)
  if (bytes.length < length) return short("802.11")
  const body = bytes.subarray(length)
  if ((bytes[22]! & 0x0f) !== 0) return unread("802.11 fragment without its header")
  const isAggregate = hasQos && (bytes[qosAt]! & QOS_AGGREGATE) !== 0
  // Some drivers decrypt a frame and leave the mark.
  if ((flags & PROTECTED) !== 0 && !isClear(isAggregate ? body.subarray(14) : body)) return unread("encrypted (802.11)")
  return isAggregate ? aggregate(body, missing) : next("llc", body)
}

function isClear(body: Buffer): boolean {
  return body.length >= 6 && body.readUIntBE(0, 6) === 0xaaaa03000000
}

const SUBFRAMES_MAX = 64

/** §9.3.2.2: frames of addresses, a length and LLC, each filled up to a multiple of 4 bytes. */
function aggregate(bytes: Buffer, missing: number): Step {
  const steps: Step[] = []
  let at = 0
  while (at + 14 <= bytes.length && steps.length < SUBFRAMES_MAX) {
    const end = at + 14 + bytes.readUInt16BE(at + 12)
    steps.push(next("llc", bytes.subarray(at + 14, end)))
    at = Math.ceil(end / 4) * 4
  }
  // The check sum of the whole frame, 4 bytes, may follow.
  const isWhole = missing === 0 && steps.length > 0 && bytes.length - at <= 4
  return { kind: "several", steps: isWhole ? steps : [...steps, short("802.11 aggregate")] }
}
