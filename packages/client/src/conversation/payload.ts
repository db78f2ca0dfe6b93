import { DecodeError, decode, encode, fixed, struct, type TypeOf, uint8, uint64 } from "@conclave/codec"
import { hex } from "../bytes.js"
import { type Content, contentOf, PayloadBody } from "../kinds/contents.js"

/** What an MLS application message of this SDK holds. A later version may add kinds; an unknown one is skipped. */
export const Payload = struct("Payload", {
  /** 1. */
  version: uint8,
  messageId: fixed(16),
  /** Unix time in milliseconds, by the sender's clock. */
  sentAt: uint64,
  body: PayloadBody,
})
export type Payload = TypeOf<typeof Payload>

export const PAYLOAD_VERSION = 1
export const CONTENT_SIZE_MAX = 65_536
export const TITLE_SIZE_MAX = 256
const PAYLOAD_SIZE_MAX = CONTENT_SIZE_MAX + 64

export function encodePayload(payload: Payload): Uint8Array {
  return encode(Payload, payload)
}

/** Throws `DecodeError` for anything that is no payload, too long, or of a version that is not known. */
export function decodePayload(bytes: Uint8Array): Payload {
  const payload = decode(Payload, bytes, { sizeMax: PAYLOAD_SIZE_MAX })
  if (payload.version !== PAYLOAD_VERSION) throw new DecodeError(`payload version ${payload.version}`, 0)
  if (payload.sentAt > DATE_MAX) throw new DecodeError("a time beyond the calendar", 17)
  return payload
}

/** The largest time that `Date` can hold. */
const DATE_MAX = 8_640_000_000_000_000n

/** What an application sees of a message; `undefined` for a payload that is not a message. */
export function messageOf(payload: Payload): (Content & { messageId: string; sentAt: Date }) | undefined {
  const content = contentOf(payload.body)
  return content && { ...content, messageId: hex(payload.messageId), sentAt: new Date(Number(payload.sentAt)) }
}
