import { ed448 } from "@noble/curves/ed448.js"
import { ed25519 } from "@noble/curves/ed25519.js"
import { p256, p384, p521 } from "@noble/curves/nist.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { ecdsaScheme, edwardsScheme, type SignatureLibrary } from "../checked/signature.js"
import type { SignatureName, SignatureScheme } from "../provider.js"

export const portableSignatures: Readonly<Record<SignatureName, SignatureScheme>> = {
  Ed25519: edwardsScheme("Ed25519", { importKey: importSeed(ed25519), verify: verifyWithoutCofactor }),
  Ed448: edwardsScheme("Ed448", {
    importKey: importSeed(ed448),
    verify: (publicKey, message, signature) => ed448.verify(signature, message, publicKey, { zip215: false }),
  }),
  "ECDSA-P-256-SHA-256": ecdsaScheme("P-256", ecdsa(p256)),
  "ECDSA-P-384-SHA-384": ecdsaScheme("P-384", ecdsa(p384)),
  "ECDSA-P-521-SHA-512": ecdsaScheme("P-521", ecdsa(p521)),
}

function importSeed(curve: typeof ed25519): SignatureLibrary["importKey"] {
  return (privateKey) => ({
    publicKey: curve.getPublicKey(privateKey),
    sign: (message, seed) => curve.sign(message, seed),
  })
}

/**
 * RFC 8032 §5.1.7 in its stricter form, [S]B = R + [k]A: the library verifies with the cofactor only. Throws for an S
 * out of range.
 */
function verifyWithoutCofactor(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))]
  const digest = sha512.create().update(r).update(publicKey).update(message).digest()
  const k = littleEndian(digest) % Point.Fn.ORDER
  const difference = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(publicKey).multiplyUnsafe(k))
  return difference.equals(Point.fromBytes(r))
}

function littleEndian(bytes: Uint8Array): bigint {
  let hex = "0x"
  for (let i = bytes.length - 1; i >= 0; i--) hex += bytes[i]!.toString(16).padStart(2, "0")
  return BigInt(hex)
}

function ecdsa(curve: typeof p256) {
  const options = { format: "der", lowS: false, prehash: true } as const
  return {
    isOnCurve: (point: Uint8Array) => curve.utils.isValidPublicKey(point, false),
    importKey: (privateKey: Uint8Array) => ({
      publicKey: curve.getPublicKey(privateKey, false),
      sign: (message: Uint8Array, scalar: Uint8Array) => curve.sign(message, scalar, options),
    }),
    verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
      curve.verify(signature, message, publicKey, options),
  }
}
