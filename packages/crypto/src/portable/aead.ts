import { gcm } from "@noble/ciphers/aes.js"
import { chacha20poly1305 } from "@noble/ciphers/chacha.js"
import { type AeadLibrary, checkedAead } from "../checked/aead.js"
import type { Aead, AeadName } from "../provider.js"

export const portableAeads: Readonly<Record<AeadName, Aead>> = {
  "AES-128-GCM": checkedAead("AES-128-GCM", portable(gcm)),
  "AES-256-GCM": checkedAead("AES-256-GCM", portable(gcm)),
  "ChaCha20-Poly1305": checkedAead("ChaCha20-Poly1305", portable(chacha20poly1305)),
}

function portable(cipher: typeof gcm | typeof chacha20poly1305): AeadLibrary {
  return {
    seal: (key, nonce, plaintext, authenticatedData) => cipher(key, nonce, authenticatedData).encrypt(plaintext),
    open: (key, nonce, ciphertext, authenticatedData) => cipher(key, nonce, authenticatedData).decrypt(ciphertext),
  }
}
