import { createRequire } from "node:module"
import { wipe } from "../bytes.js"
import { aeadTagSize, checkedAead } from "../checked/aead.js"
import { montgomeryGroup } from "../checked/group.js"
import { edwardsScheme } from "../checked/signature.js"
import type { Aead, KemGroup, SignatureScheme } from "../provider.js"

/** The functions of libsodium in use, as sodium-native exports them: outputs first. They throw for a wrong length. */
interface SodiumNative {
  crypto_scalarmult_base(publicKey: Uint8Array, privateKey: Uint8Array): void
  crypto_scalarmult(product: Uint8Array, privateKey: Uint8Array, peer: Uint8Array): void
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
  crypto_aead_chacha20poly1305_ietf_encrypt(
    ciphertext: Uint8Array,
    plaintext: Uint8Array,
    authenticatedData: Uint8Array,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number
  crypto_aead_chacha20poly1305_ietf_decrypt(
    plaintext: Uint8Array,
    secretNonce: null,
    ciphertext: Uint8Array,
    authenticatedData: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number
}

export interface SodiumAlgorithms {
  readonly chacha20Poly1305: Aead
  readonly x25519: KemGroup
  readonly ed25519: SignatureScheme
}

/** What sodium-native does faster than node:crypto, or `undefined` where it is not installed or doesn't load. */
export function sodiumAlgorithms(): SodiumAlgorithms | undefined {
  loaded ??= load()
  return loaded === "absent" ? undefined : loaded
}

let loaded: SodiumAlgorithms | "absent" | undefined

function load(): SodiumAlgorithms | "absent" {
  try {
    return algorithmsOf(createRequire(import.meta.url)("sodium-native") as SodiumNative)
  } catch {
    return "absent"
  }
}

function algorithmsOf(sodium: SodiumNative): SodiumAlgorithms {
  return {
    x25519: montgomeryGroup("X25519", {
      publicKey(privateKey) {
        const publicKey = new Uint8Array(32)
        sodium.crypto_scalarmult_base(publicKey, privateKey)
        return publicKey
      },
      multiply(privateKey, peer) {
        const product = new Uint8Array(32)
        sodium.crypto_scalarmult(product, privateKey, peer)
        return product
      },
    }),

    ed25519: edwardsScheme("Ed25519", {
      importKey(privateKey) {
        const publicKey = new Uint8Array(32)
        const secretKey = new Uint8Array(64)
        sodium.crypto_sign_seed_keypair(publicKey, secretKey, privateKey)
        return {
          publicKey,
          sign(message) {
            const signature = new Uint8Array(64)
            sodium.crypto_sign_detached(signature, message, secretKey)
            return signature
          },
          forget: () => wipe(secretKey),
        }
      },
      verify: (publicKey, message, signature) => sodium.crypto_sign_verify_detached(signature, message, publicKey),
    }),

    chacha20Poly1305: checkedAead("ChaCha20-Poly1305", {
      seal(key, nonce, plaintext, authenticatedData) {
        const ciphertext = new Uint8Array(plaintext.length + aeadTagSize)
        sodium.crypto_aead_chacha20poly1305_ietf_encrypt(ciphertext, plaintext, authenticatedData, null, nonce, key)
        return ciphertext
      },
      open(key, nonce, ciphertext, authenticatedData) {
        const plaintext = new Uint8Array(ciphertext.length - aeadTagSize)
        sodium.crypto_aead_chacha20poly1305_ietf_decrypt(plaintext, null, ciphertext, authenticatedData, nonce, key)
        return plaintext
      },
    }),
  }
}
