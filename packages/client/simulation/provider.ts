import type { Aead, AeadName, CryptoProvider } from "@conclave/crypto"
import { nodeProvider } from "@conclave/crypto/node"

const real = nodeProvider()

export const sha256 = (...parts: readonly Uint8Array[]) => real.hashes["SHA-256"]!.digest(...parts)
/** As the SDK's own `hex`, and faster. */
export const hex = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")
export const digest = (...parts: readonly Uint8Array[]) => hex(sha256(...parts).subarray(0, 16))

/** One use of a key: what was sealed, and what came out. */
export interface Sealing {
  readonly aead: AeadName
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly plaintext: Uint8Array
  readonly ciphertext: Uint8Array
}

/** The real primitives, but for randomness, which is `random`; `sealed` sees each use of an AEAD. */
export function watchedProvider(
  random: (length: number) => Uint8Array,
  sealed: (sealing: Sealing) => void,
): CryptoProvider {
  const aeads: Partial<Record<AeadName, Aead>> = {}
  for (const [name, aead] of Object.entries(real.aeads) as [AeadName, Aead][]) {
    aeads[name] = {
      keySize: aead.keySize,
      nonceSize: aead.nonceSize,
      tagSize: aead.tagSize,
      open: (...values) => aead.open(...values),
      seal(key, nonce, plaintext, authenticatedData) {
        const ciphertext = aead.seal(key, nonce, plaintext, authenticatedData)
        sealed({ aead: name, key, nonce, plaintext, ciphertext })
        return ciphertext
      },
    }
  }
  return { ...real, name: "watched", random, aeads }
}
