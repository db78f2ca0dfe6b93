/** The raw WebAssembly build of libsodium: C functions over addresses in its memory. They return 0 for success. */
declare module "libsodium-sumo" {
  export interface Libsodium {
    /** The module's memory. Growing it replaces the array: read it anew after every `_malloc`. */
    readonly HEAPU8: Uint8Array
    _malloc(size: number): number
    _free(address: number): void
    _sodium_init(): number
    _crypto_hash_sha256(digest: number, message: number, length: number, lengthHigh: number): number
    _crypto_hash_sha512(digest: number, message: number, length: number, lengthHigh: number): number
    _crypto_scalarmult_base(publicKey: number, privateKey: number): number
    _crypto_scalarmult(product: number, privateKey: number, peer: number): number
    _crypto_sign_seed_keypair(publicKey: number, secretKey: number, seed: number): number
    _crypto_sign_detached(
      signature: number,
      signatureLength: number,
      message: number,
      length: number,
      lengthHigh: number,
      secretKey: number,
    ): number
    _crypto_sign_verify_detached(
      signature: number,
      message: number,
      length: number,
      lengthHigh: number,
      publicKey: number,
    ): number
    _crypto_aead_chacha20poly1305_ietf_encrypt(
      ciphertext: number,
      ciphertextLength: number,
      plaintext: number,
      length: number,
      lengthHigh: number,
      authenticatedData: number,
      authenticatedDataLength: number,
      authenticatedDataLengthHigh: number,
      secretNonce: number,
      nonce: number,
      key: number,
    ): number
    _crypto_aead_chacha20poly1305_ietf_decrypt(
      plaintext: number,
      plaintextLength: number,
      secretNonce: number,
      ciphertext: number,
      length: number,
      lengthHigh: number,
      authenticatedData: number,
      authenticatedDataLength: number,
      authenticatedDataLengthHigh: number,
      nonce: number,
      key: number,
    ): number
  }

  /** Compiles and instantiates the module. `getRandomValue` gives 32 random bits. */
  export default function libsodium(options: { getRandomValue(): number }): Promise<Libsodium>
}
