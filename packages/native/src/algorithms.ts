export type NativeHash = "SHA-256" | "SHA-384" | "SHA-512"
export type NativeAead = "AES-128-GCM" | "AES-256-GCM" | "ChaCha20-Poly1305"
export type NativeGroup = "X25519" | "P-256" | "P-384" | "P-521"
export type NativeScheme = "Ed25519" | "ECDSA-P-256-SHA-256" | "ECDSA-P-384-SHA-384" | "ECDSA-P-521-SHA-512"

// The numbers are those of `rust/src/exports.rs`.
export const hashes: Readonly<Record<NativeHash, { readonly number: number; readonly size: number }>> = {
  "SHA-256": { number: 0, size: 32 },
  "SHA-384": { number: 1, size: 48 },
  "SHA-512": { number: 2, size: 64 },
}
export const aeads: Readonly<Record<NativeAead, number>> = {
  "AES-128-GCM": 0,
  "AES-256-GCM": 1,
  "ChaCha20-Poly1305": 2,
}
export const groups: Readonly<
  Record<NativeGroup, { readonly number: number; readonly publicKeySize: number; readonly secretSize: number }>
> = {
  X25519: { number: 0, publicKeySize: 32, secretSize: 32 },
  "P-256": { number: 1, publicKeySize: 65, secretSize: 32 },
  "P-384": { number: 2, publicKeySize: 97, secretSize: 48 },
  "P-521": { number: 3, publicKeySize: 133, secretSize: 66 },
}
/** `signatureSizeMax` of ECDSA: two integers of the order's size and DER's around them. */
export const schemes: Readonly<
  Record<NativeScheme, { readonly number: number; readonly publicKeySize: number; readonly signatureSizeMax: number }>
> = {
  Ed25519: { number: 0, publicKeySize: 32, signatureSizeMax: 64 },
  "ECDSA-P-256-SHA-256": { number: 1, publicKeySize: 65, signatureSizeMax: 72 },
  "ECDSA-P-384-SHA-384": { number: 2, publicKeySize: 97, signatureSizeMax: 104 },
  "ECDSA-P-521-SHA-512": { number: 3, publicKeySize: 133, signatureSizeMax: 139 },
}
export const tagSize = 16
