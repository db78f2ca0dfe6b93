import type { AeadName } from "./provider.js"

export const aeadKeySizes: Readonly<Record<AeadName, number>> = {
  "AES-128-GCM": 16,
  "AES-256-GCM": 32,
  "ChaCha20-Poly1305": 32,
}
export const aeadNonceSize = 12
export const aeadTagSize = 16

/** Libraries differ in the keys and nonces they let pass: the sizes are checked here. */
export function checkAeadInput(name: AeadName, key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== aeadKeySizes[name]) throw new RangeError(`${name} takes a key of ${aeadKeySizes[name]} bytes`)
  if (nonce.length !== aeadNonceSize) throw new RangeError(`${name} takes a nonce of ${aeadNonceSize} bytes`)
}
