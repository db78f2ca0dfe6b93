import type { gcm } from "@noble/ciphers/aes.js"
import type { chacha20poly1305 } from "@noble/ciphers/chacha.js"
import type { AeadLibrary } from "../checked/aead.js"

export function nobleAead(cipher: typeof gcm | typeof chacha20poly1305): AeadLibrary {
  return {
    seal: (key, nonce, plaintext, authenticatedData) => cipher(key, nonce, authenticatedData).encrypt(plaintext),
    open: (key, nonce, ciphertext, authenticatedData) => cipher(key, nonce, authenticatedData).decrypt(ciphertext),
  }
}
