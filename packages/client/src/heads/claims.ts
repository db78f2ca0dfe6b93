import { DecodeError, decode, encode, opaque, optional, struct, type TypeOf, uint8 } from "@conclave/codec"
import { HeadClaim } from "@conclave/contracts/heads"

/**
 * Where members tell each other how far they have read: a message inside its ciphertext, a handshake in its authenticated
 * data, a Welcome in its GroupInfo (see `access/structs`).
 */

/** The plaintext of an application message. */
export const Envelope = struct("Envelope", {
  /** 2; what begins with 1 is a Payload by itself, as it was before there were claims. */
  version: uint8,
  head: optional(HeadClaim),
  /** A Payload. */
  payload: opaque,
})
export type Envelope = TypeOf<typeof Envelope>
export const ENVELOPE_VERSION = 2
const BARE_PAYLOAD_VERSION = 1

/** The authenticated data of a commit, and of a request to be removed. */
export const HandshakeData = struct("HandshakeData", {
  /** 1. */
  version: uint8,
  /** 16 random bytes where nothing else in the commit is random; otherwise none. */
  unique: opaque,
  head: optional(HeadClaim),
})
export const HANDSHAKE_DATA_VERSION = 1

export function encodeEnvelope(payload: Uint8Array, head: HeadClaim | undefined): Uint8Array {
  return encode(Envelope, { version: ENVELOPE_VERSION, head, payload })
}

/** Throws `DecodeError` for what is neither an envelope nor, by its first byte, a bare payload. */
export function decodeEnvelope(plaintext: Uint8Array): Pick<Envelope, "head" | "payload"> {
  if (plaintext[0] === BARE_PAYLOAD_VERSION) return { head: undefined, payload: plaintext }
  const { version, ...envelope } = decode(Envelope, plaintext)
  if (version !== ENVELOPE_VERSION) throw new DecodeError(`envelope version ${version}`, 0)
  return envelope
}

export function encodeHandshakeData(unique: Uint8Array, head: HeadClaim | undefined): Uint8Array {
  return encode(HandshakeData, { version: HANDSHAKE_DATA_VERSION, unique, head })
}

/** The head that a handshake claims. What has another form claims nothing: no member judges a commit by it. */
export function headInHandshake(authenticatedData: Uint8Array): HeadClaim | undefined {
  if (authenticatedData[0] !== HANDSHAKE_DATA_VERSION) return undefined
  try {
    return decode(HandshakeData, authenticatedData).head
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}
