import {
  DecodeError,
  decode,
  encode,
  enumeration,
  fixed,
  opaque,
  struct,
  type TypeOf,
  uint8,
  uint64,
  union,
  utf8,
} from "@conclave/codec"
import type { Content } from "../events.js"
import { hex } from "../store/sealed.js"

/** What an MLS application message of this SDK holds. A later version may add kinds; an unknown one is passed over. */
const PayloadKind = enumeration("PayloadKind", 1, { text: 1, bytes: 2, title: 3 })
const Body = union("PayloadBody", "kind", PayloadKind, {
  text: { text: utf8 },
  bytes: { bytes: opaque },
  title: { title: utf8 },
})
export const Payload = struct("Payload", {
  /** 1. */
  version: uint8,
  messageId: fixed(16),
  /** Unix time in milliseconds, by the sender's clock. */
  sentAt: uint64,
  body: Body,
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

/** What an application sees of a text or of bytes; `undefined` for a payload that is no message. */
export function messageOf(payload: Payload): (Content & { messageId: string; sentAt: Date }) | undefined {
  const { body } = payload
  if (body.type === "title") return undefined
  const content: Content = body.type === "text" ? { text: body.text } : { bytes: body.bytes }
  return { ...content, messageId: hex(payload.messageId), sentAt: new Date(Number(payload.sentAt)) }
}
