import type { Aead, AeadName, CryptoProvider, SignatureName, SignatureScheme } from "@conclave/crypto"
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

/**
 * Verdicts on signatures, by all that goes into one. Every member and gateway verifies the same; it is a function of scheme,
 * key, message and signature, so whoever asks first is answered by the real one, and a wrong signature stays wrong.
 */
export type Verified = Map<string, boolean>

export interface Watching {
  readonly random: (length: number) => Uint8Array
  /** Sees each use of an AEAD. */
  readonly sealed: (sealing: Sealing) => void
  /** Shared by all of a run. */
  readonly verified: Verified
}

/** The real primitives, but for randomness; a signature is verified once. */
export function watchedProvider({ random, sealed, verified }: Watching): CryptoProvider {
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
  const signatures: Partial<Record<SignatureName, SignatureScheme>> = {}
  for (const [name, scheme] of Object.entries(real.signatures) as [SignatureName, SignatureScheme][]) {
    signatures[name] = { ...scheme, verify: verifiedOnce(name, scheme, verified) }
  }
  return { ...real, name: "watched", random, aeads, signatures }
}

function verifiedOnce(name: SignatureName, scheme: SignatureScheme, verified: Verified): SignatureScheme["verify"] {
  return (publicKey, message, signature) => {
    const question = `${name} ${hex(publicKey)} ${hex(sha256(message))} ${hex(signature)}`
    const known = verified.get(question)
    if (known !== undefined) return known
    const isGood = scheme.verify(publicKey, message, signature)
    verified.set(question, isGood)
    return isGood
  }
}
