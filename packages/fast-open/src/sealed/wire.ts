import { type Codec, fixed, struct, uint8, uint16, uint32, uint64, utf8, vector } from "@conclave/codec"

/*
 * The bytes of the sealed transport, docs/fast-open.md §3.
 *
 *   client ──► token 32 │ keyId 4 │ kemOutput 32 │ frame │ frame …      HPKE to the key of the day
 *   server ──► status 1 │ ephemeral 32 │ frame │ frame …                forward secret
 *   client ──► frame …                                                  forward secret, where the server asked for it
 */

export const TOKEN_SIZE = 32
export const KEY_ID_SIZE = 4
export const KEY_SIZE = 32
export const TAG_SIZE = 16
export const REQUEST_ID_SIZE = 16
export const HEADER_SIZE = TOKEN_SIZE + KEY_ID_SIZE + KEY_SIZE
const LENGTH_SIZE = 2

/** What one SYN carries on every path of the Internet. */
export const FLIGHT_SIZE_MAX = 1200
/** The longest ciphertext of a frame, and of the frame in the first flight. */
export const FRAME_SIZE_MAX = 16_384 + TAG_SIZE
export const FIRST_FRAME_SIZE_MAX = FLIGHT_SIZE_MAX - HEADER_SIZE - LENGTH_SIZE

/** Lengths that an observer sees: these, and beyond them multiples of the last. */
const BUCKETS = [256, 512, 1200] as const

/** The smallest bucket that holds `length` bytes. */
export function bucketFor(length: number): number {
  return BUCKETS.find((bucket) => length <= bucket) ?? Math.ceil(length / FLIGHT_SIZE_MAX) * FLIGHT_SIZE_MAX
}

export const Status = { accepted: 0, unknownKey: 1 } as const

export const Kind = { hello: 0, request: 1, subscription: 2 } as const

/** What the client asks, in front of the request's bytes: `bodyLength` of them, in this frame and the next ones. */
export const Opening = struct("Opening", {
  kind: uint8,
  /** How many address tokens the client would like; the server gives at most 8. */
  tokensWanted: uint8,
  requestId: fixed(REQUEST_ID_SIZE),
  /** Milliseconds since 1970 by the server's clock, as the client estimates it. */
  time: uint64,
  bodyLength: uint32,
})
export const OPENING_SIZE = 1 + 1 + REQUEST_ID_SIZE + 8 + 4

export const FrameType = {
  /** A piece of a response, and its last piece. */
  part: 1,
  message: 2,
  /** The service has ended its responses. */
  end: 3,
  /** Not run: to be asked again inside this connection, where it cannot be a replay. */
  again: 4,
  supply: 5,
  /** Not run, or not to its end: one byte of {@link Refusal}. */
  refused: 6,
} as const

export const Refusal = { spent: 1, tooLarge: 2, failed: 3, forbidden: 4 } as const

/** In front of a server's content; zeros follow it to the end of the frame. */
export const FrameHead = struct("FrameHead", { type: uint8, contentLength: uint16 })
export const FRAME_HEAD_SIZE = 3
export const FRAME_CONTENT_MAX = FRAME_SIZE_MAX - TAG_SIZE - FRAME_HEAD_SIZE

/** A public key of the service, and how long clients may seal to it (milliseconds since 1970, server's clock). */
export const DayKey = struct("DayKey", { id: uint32, publicKey: fixed(KEY_SIZE), useUntil: uint64 })
export type DayKey = typeof DayKey extends Codec<infer T> ? T : never

/** What a client needs for its next requests, handed out under encryption. */
export const Supply = struct("Supply", { time: uint64, keys: vector(DayKey), tokens: vector(fixed(TOKEN_SIZE)) })
export type Supply = typeof Supply extends Codec<infer T> ? T : never

/** How to reach the service: given to clients over TLS, or any other channel that is confidential and authentic. */
export const Offer = struct("Offer", { version: uint8, host: utf8, port: uint16, supply: Supply })
export type Offer = typeof Offer extends Codec<infer T> ? T : never
export const VERSION = 1

/** A frame as it travels: its length, then its ciphertext. */
export function frameBytes(ciphertext: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_SIZE + ciphertext.length)
  new DataView(bytes.buffer).setUint16(0, ciphertext.length)
  bytes.set(ciphertext, LENGTH_SIZE)
  return bytes
}

/** Bytes of a frame on the wire around a plaintext. */
export const FRAME_OVERHEAD = LENGTH_SIZE + TAG_SIZE

/** `bytes` and zeros behind them, `length` altogether. */
export function padTo(length: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const padded = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    padded.set(part, at)
    at += part.length
  }
  return padded
}

export function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, zeros.subarray(0, bytes.length)) === 0
}

/** As long as the longest padding. */
const zeros = new Uint8Array(FRAME_SIZE_MAX)
