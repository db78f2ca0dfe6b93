import { wipe } from "./bytes.js"
import type { Hash } from "./provider.js"

/** RFC 5869 §2.2: a pseudorandom key of `hash.size` bytes. An empty salt stands for `hash.size` zeros. */
export function hkdfExtract(hash: Hash, salt: Uint8Array, inputKeyMaterial: Uint8Array): Uint8Array {
  // HMAC pads its key with zeros, so the empty salt needs no spelling out.
  return hash.hmac(salt, inputKeyMaterial)
}

/**
 * RFC 5869 §2.3: `length` bytes (0 to 255 times `hash.size`) from a pseudorandom key.
 *
 * @throws RangeError for any other length.
 */
export function hkdfExpand(hash: Hash, pseudorandomKey: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return expandParts(hash, pseudorandomKey, length, info)
}

/** {@link hkdfExpand} over the concatenation of `info`, which is never put together in memory. */
export function expandParts(
  hash: Hash,
  pseudorandomKey: Uint8Array,
  length: number,
  ...info: readonly Uint8Array[]
): Uint8Array {
  if (!Number.isInteger(length) || length < 0 || length > 255 * hash.size) {
    throw new RangeError(`HKDF-Expand gives 0 to ${255 * hash.size} bytes, not ${length}`)
  }
  const first = hash.hmac(pseudorandomKey, ...info, blockNumber(1))
  if (length === hash.size) return first

  const output = new Uint8Array(length)
  let block = first
  for (let offset = 0, number = 1; offset < length; offset += hash.size, number++) {
    if (number > 1) {
      const next = hash.hmac(pseudorandomKey, block, ...info, blockNumber(number))
      wipe(block)
      block = next
    }
    output.set(block.subarray(0, Math.min(hash.size, length - offset)), offset)
  }
  wipe(block)
  return output
}

const blockNumbers: Uint8Array[] = []
function blockNumber(number: number): Uint8Array {
  blockNumbers[number] ??= Uint8Array.of(number)
  return blockNumbers[number]
}
