import { ECDH } from "node:crypto"

const curves: Readonly<Record<number, string>> = { 2: "prime256v1", 5: "secp521r1", 7: "secp384r1" }

/**
 * ts-mls makes ECDSA keys with compressed public keys. RFC 9420 §5.1.2 has them as RFC 8446 §4.2.8.2 does,
 * uncompressed, and nobody else takes the others.
 */
export function uncompressed<K extends { readonly publicKey: Uint8Array }>(suite: number, keys: K): K {
  const curve = curves[suite]
  if (curve === undefined) return keys
  const publicKey = ECDH.convertKey(keys.publicKey, curve, undefined, undefined, "uncompressed") as Buffer
  return { ...keys, publicKey: new Uint8Array(publicKey) }
}
