import type { Aead, AeadName } from "../provider.js"

/** A library's AEAD with a tag of 16 bytes behind the ciphertext. */
export interface AeadLibrary {
  seal: Aead["seal"]
  sealTo?: Aead["sealTo"]
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

/**
 * Encrypts into `output`, of the plaintext's length and `aead.tagSize` bytes more, which overlaps no other argument.
 *
 * @throws RangeError for another size
 */
export function sealTo(
  aead: Aead,
  { key, nonce }: { readonly key: Uint8Array; readonly nonce: Uint8Array },
  plaintext: Uint8Array,
  authenticatedData: Uint8Array,
  output: Uint8Array,
): void {
  if (output.length !== plaintext.length + aead.tagSize) throw new RangeError("the output has another size")
  if (aead.sealTo) aead.sealTo(key, nonce, plaintext, authenticatedData, output)
  else output.set(aead.seal(key, nonce, plaintext, authenticatedData))
}

/** Libraries differ in the keys and nonces they let pass, so their sizes are checked here. */
export function checkedAead(name: AeadName, library: AeadLibrary): Aead {
  const keySize = keySizes[name]
  const { sealTo } = library

  return {
    keySize,
    nonceSize,
    tagSize: aeadTagSize,

    seal(key, nonce, plaintext, authenticatedData) {
      checkSizes(key, nonce)
      return library.seal(key, nonce, plaintext, authenticatedData)
    },

    ...(sealTo && {
      sealTo(key, nonce, plaintext, authenticatedData, output) {
        checkSizes(key, nonce)
        sealTo(key, nonce, plaintext, authenticatedData, output)
      },
    }),

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
