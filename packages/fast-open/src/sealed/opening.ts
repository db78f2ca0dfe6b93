import { DecodeError, decode, encode, type TypeOf } from "@conclave/codec"
import { concat } from "@conclave/crypto"
import {
  bucketFor,
  FIRST_FRAME_SIZE_MAX,
  FRAME_OVERHEAD,
  FRAME_SIZE_MAX,
  HEADER_SIZE,
  isZero,
  OPENING_SIZE,
  Opening,
  padTo,
  TAG_SIZE,
} from "./wire.js"

export type OpeningFields = TypeOf<typeof Opening>

/** Plaintext bytes of the frame in a first flight, and of every other frame, at the most. */
const FIRST_PLAINTEXT_MAX = FIRST_FRAME_SIZE_MAX - TAG_SIZE
const PLAINTEXT_MAX = FRAME_SIZE_MAX - TAG_SIZE

/**
 * Plaintexts of the frames that carry an opening and its body. The first one fills a bucket together with the flight's
 * header when `inFlight`; the last one is filled up to a bucket of its own.
 */
export function* openingFrames(opening: OpeningFields, body: Uint8Array, inFlight: boolean): Generator<Uint8Array> {
  const before = inFlight ? HEADER_SIZE + FRAME_OVERHEAD : FRAME_OVERHEAD
  const most = inFlight ? FIRST_PLAINTEXT_MAX : PLAINTEXT_MAX
  const size = paddedSize(OPENING_SIZE + body.length, { before, most })
  let at = Math.min(body.length, size - OPENING_SIZE)
  yield padTo(size, encode(Opening, opening), body.subarray(0, at))
  while (at < body.length) {
    const piece = body.subarray(at, at + PLAINTEXT_MAX)
    yield padTo(paddedSize(piece.length, { before: FRAME_OVERHEAD, most: PLAINTEXT_MAX }), piece)
    at += piece.length
  }
}

/** The plaintext's length that makes a bucket of what the observer sees. */
export function paddedSize(
  length: number,
  { before, most }: { readonly before: number; readonly most: number },
): number {
  return Math.min(bucketFor(before + length) - before, most)
}

export const CONTENT_LIMITS = { before: FRAME_OVERHEAD, most: PLAINTEXT_MAX } as const

/**
 * Puts an opening and its body together from decrypted frames. Throws `DecodeError` for anything but what
 * {@link openingFrames} makes. The caller looks at `fields.bodyLength` before it goes on.
 */
export class OpeningReader {
  readonly fields: OpeningFields
  readonly #pieces: Uint8Array[] = []
  #missing: number

  constructor(first: Uint8Array) {
    if (first.length < OPENING_SIZE) throw new DecodeError("an opening that is too short", 0)
    this.fields = decode(Opening, first.subarray(0, OPENING_SIZE))
    this.#missing = this.fields.bodyLength
    this.#fill(first.subarray(OPENING_SIZE))
  }

  get complete(): boolean {
    return this.#missing === 0
  }

  /** Memory is taken as the body arrives, not as its length is announced. */
  get body(): Uint8Array {
    return concat(...this.#pieces)
  }

  add(plaintext: Uint8Array): void {
    if (this.complete || plaintext.length === 0) throw new DecodeError("a frame that carries nothing", 0)
    this.#fill(plaintext)
  }

  #fill(bytes: Uint8Array): void {
    const piece = bytes.subarray(0, this.#missing)
    if (!isZero(bytes.subarray(piece.length))) throw new DecodeError("padding that is not zero", piece.length)
    this.#pieces.push(piece)
    this.#missing -= piece.length
  }
}
