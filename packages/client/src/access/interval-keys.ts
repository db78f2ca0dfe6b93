import { encode } from "@conclave/codec"
import { ACCESS_LABEL } from "@conclave/contracts/access"
import type { SigningKey } from "@conclave/crypto"
import { type CipherSuite, expandWithLabel, signWithLabel } from "@conclave/mls"
import { KnockContext } from "./structs.js"

/** The label of MLS's exporter (RFC 9420 §8.5); the context is the group's id, and the length KDF.Nh of the suite. */
export const INTERVAL_LABEL = "conclave interval"

/** Proves to the service that this device knows a key of the group's: see `contracts/access`. */
export interface AccessProver {
  /** An Ed25519 public key, 32 bytes. */
  readonly accessKey: Uint8Array
  /** Signs an encoded AccessTBS. */
  sign(content: Uint8Array): Uint8Array
}

/**
 * The keys of one interval, from its secret (KDF.Nh bytes), each by ExpandWithLabel (RFC 9420 §8) with a label of its own
 * and an empty context:
 *
 * ```
 *   access seed = ExpandWithLabel(interval_secret, "conclave access", "", 32)      of an Ed25519 key
 *   knock key   = ExpandWithLabel(interval_secret, "conclave knock", "", AEAD.Nk)
 * ```
 */
export class IntervalKeys implements AccessProver {
  readonly secret: Uint8Array
  readonly accessKey: Uint8Array
  readonly #suite: CipherSuite
  #signing: SigningKey | undefined

  /** `accessKey`: where it is known already. Throws `TypeError` where the provider lacks Ed25519. */
  constructor(suite: CipherSuite, secret: Uint8Array, accessKey?: Uint8Array) {
    this.#suite = suite
    this.secret = secret
    this.accessKey = accessKey ?? this.#key().publicKey
  }

  sign(content: Uint8Array): Uint8Array {
    return signWithLabel(this.#key(), ACCESS_LABEL, content)
  }

  /** A nonce, and the ciphertext of the suite's AEAD: AEAD.Nn + length + AEAD.Nt bytes. */
  seal(of: Sealed, plaintext: Uint8Array, random: (length: number) => Uint8Array): Uint8Array {
    return sealWith(this.#suite, { key: this.#knockKey(), plaintext, context: encode(KnockContext, of) }, random)
  }

  /** `undefined` for whatever is not authentic. */
  open(of: Sealed, sealed: Uint8Array): Uint8Array | undefined {
    return openWith(this.#suite, { key: this.#knockKey(), sealed, context: encode(KnockContext, of) })
  }

  /** For logs: nothing of it is to be printed. */
  toJSON(): undefined {
    return undefined
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "IntervalKeys"
  }

  #knockKey(): Uint8Array {
    return expandWithLabel(this.#suite, this.secret, "conclave knock", new Uint8Array(), this.#suite.aead.keySize)
  }

  #key(): SigningKey {
    if (this.#signing !== undefined) return this.#signing
    const ed25519 = this.#suite.provider.signatures.Ed25519
    if (ed25519 === undefined) throw new TypeError("the provider lacks Ed25519")
    const seed = expandWithLabel(this.#suite, this.secret, "conclave access", new Uint8Array(), ed25519.privateKeySize)
    this.#signing = ed25519.importKey(seed)
    seed.fill(0)
    return this.#signing
  }
}

/** What is sealed under a knock key. */
export interface Sealed {
  readonly of: "knock" | "answer"
  readonly groupId: Uint8Array
  /** 16 bytes. */
  readonly knock: Uint8Array
}

/** A nonce from `random`, and the ciphertext of the suite's AEAD. */
export function sealWith(
  { aead }: CipherSuite,
  { key, plaintext, context }: { key: Uint8Array; plaintext: Uint8Array; context: Uint8Array },
  random: (length: number) => Uint8Array,
): Uint8Array {
  const nonce = random(aead.nonceSize)
  const ciphertext = aead.seal(key, nonce, plaintext, context)
  const sealed = new Uint8Array(nonce.length + ciphertext.length)
  sealed.set(nonce)
  sealed.set(ciphertext, nonce.length)
  return sealed
}

/** What {@link sealWith} made; `undefined` for whatever is not authentic, or has no key of the right length. */
export function openWith(
  { aead }: CipherSuite,
  { key, sealed, context }: { key: Uint8Array; sealed: Uint8Array; context: Uint8Array },
): Uint8Array | undefined {
  if (key.length !== aead.keySize || sealed.length < aead.nonceSize) return undefined
  return aead.open(key, sealed.subarray(0, aead.nonceSize), sealed.subarray(aead.nonceSize), context)
}
