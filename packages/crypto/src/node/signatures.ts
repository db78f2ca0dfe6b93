import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto"
import { concat, equalBytes, wipe } from "../bytes.js"
import type { NistCurveName } from "../checked/curves.js"
import type { EdwardsName } from "../checked/edwards.js"
import { ecdsaScheme, edwardsScheme, type ImportedKey, type SignatureLibrary } from "../checked/signature.js"
import type { SignatureName, SignatureScheme } from "../provider.js"
import { base64url, plain } from "./bytes.js"
import { isOnCurve, nodeKeyAgreement } from "./groups.js"
import { keyImport, lastingKeyImport, publicKeyBytes } from "./keys.js"

export const nodeSignatures: Readonly<Record<SignatureName, SignatureScheme>> = {
  Ed25519: edwardsScheme("Ed25519", edwards("Ed25519")),
  Ed448: edwardsScheme("Ed448", edwards("Ed448")),
  "ECDSA-P-256-SHA-256": ecdsaScheme("P-256", ecdsa("P-256", "prime256v1", "sha256")),
  "ECDSA-P-384-SHA-384": ecdsaScheme("P-384", ecdsa("P-384", "secp384r1", "sha384")),
  "ECDSA-P-521-SHA-512": ecdsaScheme("P-521", ecdsa("P-521", "secp521r1", "sha512")),
}

function edwards(name: EdwardsName): SignatureLibrary {
  const publicKeys = publicKeyCache((bytes) => keyImport.publicKey(name, bytes))

  return {
    importKey(privateKey) {
      const key = lastingKeyImport.privateKey(name, privateKey)
      return importedKey(key, publicKeyBytes(createPublicKey(key)), null)
    },
    verify: (publicKey, message, signature) => verify(null, message, publicKeys(publicKey), signature),
  }
}

function ecdsa(name: NistCurveName, curve: string, hash: string) {
  const publicKeys = publicKeyCache((bytes) => importPublicKey(name, bytes))

  return {
    isOnCurve: (point: Uint8Array) => isOnCurve(curve, point),
    importKey(privateKey: Uint8Array) {
      const publicKey = nodeKeyAgreement.groups[name].publicKey(privateKey)!
      return importedKey(importPrivateKey(name, privateKey, publicKey), publicKey, hash)
    },
    verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
      verify(hash, message, publicKeys(publicKey), signature),
  }
}

// RFC 5915 §3 and RFC 5480 §2: what stands before the scalar and before the point in ECPrivateKey, and before the point
// in SubjectPublicKeyInfo.
const derPrefixes: Readonly<Record<NistCurveName, { scalar: string; point: string; publicKey: string }>> = {
  "P-256": {
    scalar: "30770201010420",
    point: "a00a06082a8648ce3d030107a144034200",
    publicKey: "3059301306072a8648ce3d020106082a8648ce3d030107034200",
  },
  "P-384": {
    scalar: "3081a40201010430",
    point: "a00706052b81040022a164036200",
    publicKey: "3076301006072a8648ce3d020106052b81040022036200",
  },
  "P-521": {
    scalar: "3081dc0201010442",
    point: "a00706052b81040023a1818903818600",
    publicKey: "30819b301006072a8648ce3d020106052b8104002303818600",
  },
}

function importPrivateKey(name: NistCurveName, privateKey: Uint8Array, publicKey: Uint8Array): KeyObject {
  const { scalar, point } = derPrefixes[name]
  const key = concat(Buffer.from(scalar, "hex"), privateKey, Buffer.from(point, "hex"), publicKey)
  try {
    return createPrivateKey({ key: key as Buffer, format: "der", type: "sec1" })
  } finally {
    wipe(key)
  }
}

function importPublicKey(name: NistCurveName, publicKey: Uint8Array): KeyObject {
  // A JWK is checked by multiplying it with the order, which a curve without cofactor does not need. On P-256 that
  // costs less than parsing DER (64 µs against 91), on P-384 and P-521 three and seven times more.
  if (name === "P-256") {
    const [x, y] = [publicKey.subarray(1, 33), publicKey.subarray(33)]
    return createPublicKey({ key: { kty: "EC", crv: name, x: base64url(x), y: base64url(y) }, format: "jwk" })
  }
  const key = concat(Buffer.from(derPrefixes[name].publicKey, "hex"), publicKey)
  return createPublicKey({ key: key as Buffer, format: "der", type: "spki" })
}

/** OpenSSL cleanses its own copy when the KeyObject, which nothing else holds, is collected. */
function importedKey(key: KeyObject, publicKey: Uint8Array, hash: string | null): ImportedKey {
  return { publicKey, sign: (message) => plain(sign(hash, message, key)) }
}

/**
 * A member's key checks many signatures, and importing it costs from a tenth of checking one to more than that. The
 * cache holds a key as long as the array it came from, and compares the bytes, so that an array written to afterwards
 * is imported anew.
 */
function publicKeyCache(importKey: (bytes: Uint8Array) => KeyObject): (bytes: Uint8Array) => KeyObject {
  const cache = new WeakMap<Uint8Array, { bytes: Uint8Array; key: KeyObject }>()
  return (bytes) => {
    const known = cache.get(bytes)
    if (known && equalBytes(known.bytes, bytes)) return known.key
    const key = importKey(bytes)
    cache.set(bytes, { bytes: new Uint8Array(bytes), key })
    return key
  }
}
