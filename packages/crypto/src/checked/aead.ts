import type { Aead, AeadName } from "../provider.js"

/** A library's AEAD with a tag of 16 bytes behind the ciphertext. */
export interface AeadLibrary {
  seal: Aead["seal"]
  /** Given at least a tag. Throws or returns `undefined` for what is not authentic. */
  open: Aead["open"]
}

const keySizes: Readonly<Record<AeadName, number>> = {
  "AES-128-GCM": 16,
  "AES-256-GCM": 32,
  "ChaCha20-Poly1305": 32,
}
const nonceSize = 12
export const aeadTagSize = 16

/** Libraries differ in the keys and nonces they let pass, so their sizes are checked here. */
export function checkedAead(name: AeadName, library: AeadLibrary): Aead {
  const keySize = keySizes[name]

  return {
    keySize,
    nonceSize,
    tagSize: aeadTagSize,

    seal(key, nonce, plaintext, authenticatedData) {
      checkSizes(key, nonce)
      return library.seal(key, nonce, plaintext, authenticatedData)
    },

    open(key, nonce, ciphertext, authenticatedData) {
      checkSizes(key, nonce)
      if (ciphertext.length < aeadTagSize) return undefined
      try {
        return library.open(key, nonce, ciphertext, authenticatedData)
      } catch {
        return undefined
      }
    },
  }

  function checkSizes(key: Uint8Array, nonce: Uint8Array): void {
    if (key.length !== keySize) throw new RangeError(`${name} takes a key of ${keySize} bytes, not ${key.length}`)
    if (nonce.length !== nonceSize)
      throw new RangeError(`${name} takes a nonce of ${nonceSize} bytes, not ${nonce.length}`)
  }
}
