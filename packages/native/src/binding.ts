/**
 * What the library exports (`rust/src/exports.rs`): inputs, then outputs, into memory that the caller gives. Every function
 * throws `TypeError` for what is not a `Uint8Array`, for memory that is shared or detached, and for an output that overlaps
 * another argument; `RangeError` for a size that does not fit.
 */
export interface Binding {
  readonly interfaceVersion: number
  readonly version: string
  random(output: Uint8Array): void
  digest(hash: number, message: Uint8Array, output: Uint8Array): void
  hmac(hash: number, key: Uint8Array, text: Uint8Array, output: Uint8Array): void
  /** See `spans.rs`: `rows` are numbers of 32 bits in the machine's order. */
  digestAll(hash: number, memory: Uint8Array, beside: Uint8Array, rows: Uint8Array, digests: Uint8Array): void
  hmacAll(hash: number, key: Uint8Array, texts: Uint8Array, outputs: Uint8Array): void
  seal(
    aead: number,
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    authenticatedData: Uint8Array,
    ciphertext: Uint8Array,
  ): void
  /** Whether it is authentic; `plaintext` is all zeros where it is not. */
  open(
    aead: number,
    key: Uint8Array,
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    authenticatedData: Uint8Array,
    plaintext: Uint8Array,
  ): boolean
  publicKey(group: number, privateKey: Uint8Array, output: Uint8Array): boolean
  multiply(group: number, privateKey: Uint8Array, peer: Uint8Array, output: Uint8Array): boolean
  exchange(group: number, privateKey: Uint8Array, peer: Uint8Array, publicKey: Uint8Array, secret: Uint8Array): boolean
  isOnCurve(group: number, point: Uint8Array): boolean
  /** The key's number. */
  importKey(scheme: number, privateKey: Uint8Array, publicKey: Uint8Array): number
  /** Bytes of the signature. */
  sign(key: number, message: Uint8Array, output: Uint8Array): number
  /** Whether there was something with the number. */
  destroy(number: number): boolean
  /** How many keys, suites and verifications there are. */
  held(): number
  verify(scheme: number, publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  verifyAll(scheme: number, threads: number, packed: Uint8Array): boolean
  verifyLater(scheme: number, threads: number, packed: Uint8Array): Promise<boolean>
  /** The verification's number. */
  verifyBegin(scheme: number, threads: number, memory: Uint8Array, beside: Uint8Array, rows: Uint8Array): number
  verifyFinish(verification: number): boolean
  /** The suite's number. */
  hpkeSuite(group: number, kemHash: number, kdfHash: number, aead: number, labels: Uint8Array): number
  hpkeSeal(
    suite: number,
    infoIsHash: number,
    publicKey: Uint8Array,
    info: Uint8Array,
    authenticatedData: Uint8Array,
    plaintext: Uint8Array,
    ephemeral: Uint8Array,
    kemOutput: Uint8Array,
    ciphertext: Uint8Array,
  ): number
  hpkeOpen(
    suite: number,
    infoIsHash: number,
    privateKey: Uint8Array,
    publicKey: Uint8Array,
    kemOutput: Uint8Array,
    info: Uint8Array,
    authenticatedData: Uint8Array,
    ciphertext: Uint8Array,
    plaintext: Uint8Array,
  ): number
  hpkeSealAll(
    suite: number,
    infoIsHash: number,
    threads: number,
    info: Uint8Array,
    authenticatedData: Uint8Array,
    packed: Uint8Array,
    sealed: Uint8Array,
  ): number
  hpkeKeyPair(suite: number, material: Uint8Array, privateKey: Uint8Array, publicKey: Uint8Array): void
  mlKem768KeyPair(seed: Uint8Array, publicKey: Uint8Array, privateKey: Uint8Array): void
  mlKem768Encapsulate(publicKey: Uint8Array, seed: Uint8Array, ciphertext: Uint8Array, secret: Uint8Array): boolean
  mlKem768Decapsulate(privateKey: Uint8Array, ciphertext: Uint8Array, secret: Uint8Array): boolean
}
