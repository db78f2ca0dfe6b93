/// <reference lib="esnext.disposable" preserve="true" />
import type { SignatureToVerify, Spans, Verification } from "./batch.js"

/**
 * What a cryptographic library has to offer to carry MLS and the transport: synchronous primitives, addressed by the
 * field's own names. Algorithms that a provider lacks are absent from its tables, never throwing stubs.
 *
 * Bytes that a function returns belong to the caller, and so do those that it is given: it keeps no view of them. Secrets are
 * destroyed by whoever owns them: see {@link wipe}.
 */
export interface CryptoProvider {
  /** How the provider names itself in diagnostics, for example `node` or `portable`. */
  readonly name: string
  /** Fills a new array with bytes from the platform's cryptographic generator. */
  random(length: number): Uint8Array
  readonly hashes: Readonly<Partial<Record<HashName, Hash>>>
  readonly aeads: Readonly<Partial<Record<AeadName, Aead>>>
  readonly groups: Readonly<Partial<Record<KemGroupName, KemGroup>>>
  /**
   * KEMs that are more than DHKEM over one of `groups`, by name. One with the name of a group is used in the place of DHKEM
   * over it.
   */
  readonly kems?: Readonly<Partial<Record<string, Kem>>>
  readonly signatures: Readonly<Partial<Record<SignatureName, SignatureScheme>>>
  /** HPKE of a suite in one call to a message, or `undefined` where the suite is not made of this provider's parts alone. */
  readonly hpke?: (suite: HpkeParts) => OneCallHpke | undefined
}

/** What a suite of HPKE is made of, for a provider that does it in one call. */
export interface HpkeParts {
  readonly group: KemGroup
  readonly kemHash: Hash
  readonly kdfHash: Hash
  readonly aead: Aead
  /**
   * What stands before the input of each step, in the order of the steps: of DHKEM (RFC 9180 §4.1, §7.1.3) the labels
   * `dkp_prk`, `sk` or `candidate`, `eae_prk` and `shared_secret`; of the key schedule (§5.1) `info_hash`, `secret`, `key` and
   * `base_nonce`, then the mode and the hash of the pre-shared key's id.
   */
  readonly labels: readonly Uint8Array[]
}

/** Base mode, one message to a call. `infoIsHash`: whether `info` is its hash already. */
export interface OneCallHpke {
  /** `undefined` for a malformed public key. */
  seal(message: {
    readonly publicKey: Uint8Array
    readonly info: Uint8Array
    readonly infoIsHash: boolean
    readonly authenticatedData: Uint8Array
    readonly plaintext: Uint8Array
    readonly ephemeral: Uint8Array
  }): { readonly kemOutput: Uint8Array; readonly ciphertext: Uint8Array } | undefined
  /**
   * `seal` to many, on every core while the caller waits. `undefined` for a malformed public key among them: then `seal` tells
   * whose.
   */
  sealAll?(message: {
    readonly info: Uint8Array
    readonly infoIsHash: boolean
    readonly authenticatedData: Uint8Array
    readonly recipients: readonly {
      readonly publicKey: Uint8Array
      readonly plaintext: Uint8Array
      readonly ephemeral: Uint8Array
    }[]
  }): readonly { readonly kemOutput: Uint8Array; readonly ciphertext: Uint8Array }[] | undefined
  /** RFC 9180 §7.1.3. */
  deriveKeyPair?(inputKeyMaterial: Uint8Array): { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array }
  /**
   * `undefined` for what is not authentic. An empty `publicKey` is computed.
   *
   * @throws RangeError for a malformed private key.
   */
  open(message: {
    readonly privateKey: Uint8Array
    readonly publicKey: Uint8Array
    readonly kemOutput: Uint8Array
    readonly info: Uint8Array
    readonly infoIsHash: boolean
    readonly authenticatedData: Uint8Array
    readonly ciphertext: Uint8Array
  }): Uint8Array | undefined
}

export type HashName = "SHA-256" | "SHA-384" | "SHA-512"
export type AeadName = "AES-128-GCM" | "AES-256-GCM" | "ChaCha20-Poly1305"
export type KemGroupName = "X25519" | "X448" | "P-256" | "P-384" | "P-521"
export type SignatureName = "Ed25519" | "Ed448" | "ECDSA-P-256-SHA-256" | "ECDSA-P-384-SHA-384" | "ECDSA-P-521-SHA-512"

export interface Hash {
  /** Bytes of a digest. */
  readonly size: number
  /** Digest of the concatenation of `parts`. */
  digest(...parts: readonly Uint8Array[]): Uint8Array
  /** HMAC (RFC 2104) of the concatenation of `parts`. A key of any length, the empty one included. */
  hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array
  /**
   * `count` digests, one behind the other, for a library that takes less time for many than for each. A row of `rows` is the
   * place among the digests that it is for, how many pieces are hashed, and where each of them begins and how long it is. Behind
   * `beside` stand the digests: one may be taken of those of earlier rows. No row is longer than all that it is made of.
   */
  digestAll?(spans: Spans, count: number): Uint8Array
  /**
   * The HMAC of each text under one key, cut to each of `lengths`, in arrays of their own. `texts`: each after its length in four
   * bytes, big endian.
   */
  hmacAll?(key: Uint8Array, texts: Uint8Array, lengths: readonly number[]): readonly Uint8Array[]
}

/** RFC 5116. The tag of 16 bytes stands behind the ciphertext. A key or a nonce of another size throws `RangeError`. */
export interface Aead {
  readonly keySize: number
  readonly nonceSize: number
  readonly tagSize: number
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, authenticatedData: Uint8Array): Uint8Array
  /**
   * `seal` into memory of the caller's, where a library writes to it without a copy in between: `output`, of the plaintext's
   * length and `tagSize` bytes more, overlaps no other argument. See {@link sealTo}.
   */
  sealTo?(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    authenticatedData: Uint8Array,
    output: Uint8Array,
  ): void
  /** `undefined` for anything that is not authentic, a ciphertext shorter than its tag included: it never throws. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    authenticatedData: Uint8Array,
  ): Uint8Array | undefined
}

/** A Diffie-Hellman group as RFC 9180 §4.1 and §7.1 use it: raw scalars, serialized public keys. */
export interface KemGroup {
  /** Bytes of a private key (Nsk), a public key (Npk) and a shared secret (Ndh). */
  readonly privateKeySize: number
  readonly publicKeySize: number
  readonly sharedSecretSize: number
  /**
   * The public key of a private one, or `undefined` where `privateKey` is no scalar of the group
   * (zero, or not below the order of a NIST curve).
   */
  publicKey(privateKey: Uint8Array): Uint8Array | undefined
  /**
   * The x-coordinate or u-coordinate of the product, or `undefined` where `peer` is malformed, off the curve,
   * at infinity, or of low order (RFC 9180 §7.1.4: an all-zero result of X25519 or X448 is refused).
   */
  diffieHellman(privateKey: Uint8Array, peer: Uint8Array): Uint8Array | undefined
  /**
   * `publicKey` and `diffieHellman` of one private key at once, where a library imports the key for less than twice.
   * `undefined` where either would be.
   */
  exchange?(
    privateKey: Uint8Array,
    peer: Uint8Array,
  ): { readonly publicKey: Uint8Array; readonly sharedSecret: Uint8Array } | undefined
  /** Whether `diffieHellman` would take the bytes as a peer's key: length, curve, no infinity, no low order. */
  isPublicKey(bytes: Uint8Array): boolean
}

/**
 * A key encapsulation mechanism as RFC 9180 §4 uses it. Keys and encapsulated keys have fixed sizes; what they are made
 * of is the KEM's own affair.
 */
export interface Kem {
  /** The number in IANA's registry of HPKE KEMs. */
  readonly id: number
  /** Bytes of the shared secret (Nsecret), of an encapsulated key (Nenc), of keys (Npk, Nsk). */
  readonly secretSize: number
  readonly encSize: number
  readonly publicKeySize: number
  readonly privateKeySize: number
  /** Bytes of the randomness that `encapsulate` takes. */
  readonly ephemeralSize: number
  /** RFC 9180 §4: from input key material of any length. */
  deriveKeyPair(inputKeyMaterial: Uint8Array): { readonly privateKey: Uint8Array; readonly publicKey: Uint8Array }
  /** @throws RangeError for a malformed private key. */
  publicKey(privateKey: Uint8Array): Uint8Array
  isPublicKey(bytes: Uint8Array): boolean
  /** `ephemeral` is left as it is. @throws RangeError for a malformed public key, or an ephemeral of another size. */
  encapsulate(
    publicKey: Uint8Array,
    ephemeral: Uint8Array,
  ): { readonly kemOutput: Uint8Array; readonly sharedSecret: Uint8Array }
  /**
   * `undefined` for a malformed `kemOutput`. Some KEMs are faster where they are given the receiver's public key, too.
   *
   * @throws RangeError for a malformed private key.
   */
  decapsulate(privateKey: Uint8Array, kemOutput: Uint8Array, publicKey?: Uint8Array): Uint8Array | undefined
}

/**
 * Signatures as RFC 9420 §5.1.2 puts them on the wire: RFC 8032 for EdDSA; DER for ECDSA, public keys uncompressed
 * (RFC 8446 §4.2.8.2).
 */
export interface SignatureScheme {
  /** Bytes of the private key (an EdDSA seed, an ECDSA scalar) and of the public key. */
  readonly privateKeySize: number
  readonly publicKeySize: number
  /** A new key from `random`; ECDSA draws again until the scalar is in range. */
  generate(random: (length: number) => Uint8Array): SigningKey
  /** Throws `RangeError` where `privateKey` is no private key of the scheme. The bytes are copied. */
  importKey(privateKey: Uint8Array): SigningKey
  /** `false` for anything that does not verify, malformed keys and signatures included. Never throws for it. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  /**
   * Whether all of them verify, on every core while the caller waits. Absent where a library has no threads of its own:
   * then, and where it says no, {@link verify} tells which do.
   */
  readonly verifyAll?: (signatures: readonly SignatureToVerify[]) => boolean
  /**
   * Begins to verify on other cores, and returns: it keeps no view of what it is given. A row of `rows` is where the public key
   * begins and how long it is, the same of the signature, how many pieces the message has, and the same of each. Absent where
   * {@link verifyAll} is; where the answer is no, {@link verify} tells which do.
   */
  readonly beginVerifying?: (signatures: Spans) => Verification
  isPublicKey(bytes: Uint8Array): boolean
}

/** A private signature key that is ready for use: importing costs more than signing in some libraries. */
export interface SigningKey extends Disposable {
  readonly publicKey: Uint8Array
  /** `message` is the caller's memory, and may be overwritten afterwards: what is kept of it is copied. */
  sign(message: Uint8Array): Uint8Array
  /** A copy of the private key's bytes, for storage; the caller owns and wipes it. */
  exportPrivateKey(): Uint8Array
  /** Overwrites the private key; later calls throw `TypeError`. */
  [Symbol.dispose](): void
}
