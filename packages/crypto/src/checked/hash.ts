import type { Hash } from "../provider.js"

/** Up to this many bytes, the parts are gathered in memory that is kept; beyond, in memory of their own. */
const keptBytes = 4096

/**
 * A hash over a library's one-shot function: for the short inputs of a key schedule, gathering the parts and calling
 * once (twice for HMAC) takes half the time of a hash object.
 */
export function gatheredHash(size: number, blockSize: number, hashOnce: (bytes: Uint8Array) => Uint8Array): Hash {
  // No call suspends, so one memory serves all. It is wiped after each use, for keys pass through it.
  const kept = new Uint8Array(blockSize + keptBytes)

  return {
    size,

    digest(...parts) {
      if (parts.length === 1) return hashOnce(parts[0]!)
      const length = lengthOf(parts)
      const gathered = length <= keptBytes ? kept : new Uint8Array(length)
      gather(gathered, parts, 0)
      const digest = hashOnce(gathered.subarray(0, length))
      gathered.fill(0, 0, length)
      return digest
    },

    // RFC 2104 §2: H(key ⊕ opad ‖ H(key ⊕ ipad ‖ text)).
    hmac(key, ...parts) {
      const length = lengthOf(parts)
      const gathered = length <= keptBytes ? kept : new Uint8Array(blockSize + length)
      const blockKey = key.length > blockSize ? hashOnce(key) : key
      pad(gathered, blockKey, 0x36)
      gather(gathered, parts, blockSize)
      const inner = hashOnce(gathered.subarray(0, blockSize + length))
      pad(kept, blockKey, 0x5c)
      kept.set(inner, blockSize)
      const outer = hashOnce(kept.subarray(0, blockSize + size))
      kept.fill(0, 0, blockSize + size)
      gathered.fill(0, 0, blockSize + length)
      inner.fill(0)
      if (blockKey !== key) blockKey.fill(0)
      return outer
    },
  }

  function pad(target: Uint8Array, key: Uint8Array, value: number): void {
    for (let i = 0; i < key.length; i++) target[i] = key[i]! ^ value
    target.fill(value, key.length, blockSize)
  }
}

function gather(target: Uint8Array, parts: readonly Uint8Array[], start: number): void {
  let offset = start
  for (const part of parts) {
    target.set(part, offset)
    offset += part.length
  }
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}
