import { hmac } from "@noble/hashes/hmac.js"
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js"
import type { Hash, HashName } from "../provider.js"

export const portableHashes: Readonly<Record<HashName, Hash>> = {
  "SHA-256": portableHash(sha256),
  "SHA-384": portableHash(sha384),
  "SHA-512": portableHash(sha512),
}

function portableHash(algorithm: typeof sha256 | typeof sha384 | typeof sha512): Hash {
  return {
    size: algorithm.outputLen,
    digest(...parts) {
      const hash = algorithm.create()
      for (const part of parts) hash.update(part)
      return hash.digest()
    },
    hmac(key, ...parts) {
      const mac = hmac.create(algorithm, key)
      for (const part of parts) mac.update(part)
      return mac.digest()
    },
  }
}
