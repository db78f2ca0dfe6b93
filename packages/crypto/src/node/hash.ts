import { createHash, createHmac, hash as hashOnce } from "node:crypto"
import type { Hash, HashName } from "../provider.js"
import { plain } from "./bytes.js"

/** Up to this many bytes, gathering the parts and hashing at once is cheaper than a hash object. */
const gatherBytesMax = 4096

export const nodeHashes: Readonly<Record<HashName, Hash>> = {
  "SHA-256": nodeHash("sha256", 32, 64),
  "SHA-384": nodeHash("sha384", 48, 128),
  "SHA-512": nodeHash("sha512", 64, 128),
}

function nodeHash(algorithm: string, size: number, blockSize: number): Hash {
  // HMAC as two hashes over memory of our own takes half the time of createHmac. No call suspends, so one such memory
  // serves all; it is wiped after each use.
  const scratch = new Uint8Array(blockSize + gatherBytesMax)

  return { size, digest, hmac }

  function digest(...parts: readonly Uint8Array[]): Uint8Array {
    if (parts.length === 1) return once(parts[0]!)
    const length = lengthOf(parts)
    if (length > gatherBytesMax) {
      const hash = createHash(algorithm)
      for (const part of parts) hash.update(part)
      return plain(hash.digest())
    }
    gather(parts, 0)
    const result = once(scratch.subarray(0, length))
    scratch.fill(0, 0, length)
    return result
  }

  function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
    const length = lengthOf(parts)
    if (length > gatherBytesMax || key.length > blockSize) {
      const hmac = createHmac(algorithm, key)
      for (const part of parts) hmac.update(part)
      return plain(hmac.digest())
    }
    // RFC 2104 §2: H(key ⊕ opad ‖ H(key ⊕ ipad ‖ text)).
    pad(key, 0x36)
    gather(parts, blockSize)
    const inner = once(scratch.subarray(0, blockSize + length))
    pad(key, 0x5c)
    scratch.set(inner, blockSize)
    const outer = once(scratch.subarray(0, blockSize + size))
    scratch.fill(0, 0, blockSize + Math.max(length, size))
    inner.fill(0)
    return outer
  }

  function once(bytes: Uint8Array): Uint8Array {
    return plain(hashOnce(algorithm, bytes, "buffer"))
  }

  function pad(key: Uint8Array, value: number): void {
    for (let i = 0; i < key.length; i++) scratch[i] = key[i]! ^ value
    scratch.fill(value, key.length, blockSize)
  }

  function gather(parts: readonly Uint8Array[], start: number): void {
    let offset = start
    for (const part of parts) {
      scratch.set(part, offset)
      offset += part.length
    }
  }
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0
  for (const part of parts) length += part.length
  return length
}
