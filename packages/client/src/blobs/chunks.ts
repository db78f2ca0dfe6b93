import { BLOB_CHUNK_SIZE } from "@conclave/contracts/blobs"
import type { Aead, CryptoProvider } from "@conclave/crypto"

/**
 * The STREAM construction (https://eprint.iacr.org/2015/189), as in age: the plaintext is cut into pieces, each sealed by
 * ChaCha20-Poly1305 under one key, with the nonce
 *
 * ```
 *   number of the piece, 11 bytes, big-endian ‖ 1 for the last piece, 0 for the others
 * ```
 *
 * and without associated data. A sealed piece is exactly one chunk of the blob, so each is authentic before any of it is
 * given out, pieces cannot change places, and a blob that was cut short has no last piece. The key is for one blob.
 */

export const KEY_SIZE = 32
const TAG_SIZE = 16
/** Bytes of plaintext in each piece but the last. */
export const PIECE_SIZE = BLOB_CHUNK_SIZE - TAG_SIZE

/** How many pieces there are: at least one, which is empty where the plaintext is. */
export const pieceCount = (size: number) => Math.max(1, Math.ceil(size / PIECE_SIZE))
/** How many bytes a plaintext of this many has when it is sealed. */
export const sealedSize = (size: number) => size + TAG_SIZE * pieceCount(size)

export interface Piece {
  /** From 0 on. */
  readonly number: number
  readonly isLast: boolean
}

/** @throws {TypeError} when the provider lacks ChaCha20-Poly1305. */
export function blobAead(provider: CryptoProvider): Aead {
  const aead = provider.aeads["ChaCha20-Poly1305"]
  if (aead === undefined) throw new TypeError("the provider lacks ChaCha20-Poly1305")
  return aead
}

/** `plaintext`: at most {@link PIECE_SIZE} bytes. No two plaintexts may be sealed for one piece of one key. */
export function sealPiece(aead: Aead, key: Uint8Array, plaintext: Uint8Array, piece: Piece): Uint8Array {
  return aead.seal(key, nonceOf(piece), plaintext, NOTHING)
}

/** `undefined` for whatever is not this piece of what was sealed under the key. */
export function openPiece(aead: Aead, key: Uint8Array, sealed: Uint8Array, piece: Piece): Uint8Array | undefined {
  return aead.open(key, nonceOf(piece), sealed, NOTHING)
}

const NOTHING = new Uint8Array()

function nonceOf({ number, isLast }: Piece): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(3, BigInt(number))
  nonce[11] = isLast ? 1 : 0
  return nonce
}

/**
 * Cuts what comes in into pieces of {@link PIECE_SIZE} bytes; holds one of them.
 *
 * @throws {RangeError} when it is not exactly `size` bytes; the last piece has not been given then.
 */
export async function* piecesOf(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number,
): AsyncGenerator<Piece & { readonly plaintext: Uint8Array }> {
  const last = pieceCount(size) - 1
  const lengthOf = (number: number) => (number < last ? PIECE_SIZE : size - last * PIECE_SIZE)
  let number = 0
  let [plaintext, filled] = [new Uint8Array(lengthOf(0)), 0]
  for await (const part of content) {
    for (let at = 0; at < part.length; ) {
      if (filled === plaintext.length) {
        if (number === last) throw new RangeError(`the content has more than the ${size} bytes that were said`)
        yield { number, isLast: false, plaintext }
        number++
        ;[plaintext, filled] = [new Uint8Array(lengthOf(number)), 0]
      }
      const some = part.subarray(at, at + plaintext.length - filled)
      plaintext.set(some, filled)
      filled += some.length
      at += some.length
    }
  }
  const isShort = number < last || filled < plaintext.length
  if (isShort) throw new RangeError(`the content has less than the ${size} bytes that were said`)
  yield { number, isLast: true, plaintext }
}
