import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from "node:crypto"
import { equalBytes } from "../bytes.js"
import { groupSizes, type NistCurveName } from "../checked/curves.js"
import { type EdwardsName, edwardsSizes } from "../checked/edwards.js"
import { ecdsaScheme, edwardsScheme, type ImportedKey, type SignatureLibrary } from "../checked/signature.js"
import type { SignatureName, SignatureScheme } from "../provider.js"
import { base64url, fromBase64url, plain } from "./bytes.js"
import { isOnCurve, nodeGroups } from "./groups.js"

export const nodeSignatures: Readonly<Record<SignatureName, SignatureScheme>> = {
  Ed25519: edwardsScheme("Ed25519", edwards("Ed25519")),
  Ed448: edwardsScheme("Ed448", edwards("Ed448")),
  "ECDSA-P-256-SHA-256": ecdsaScheme("P-256", ecdsa("P-256", "prime256v1", "sha256")),
  "ECDSA-P-384-SHA-384": ecdsaScheme("P-384", ecdsa("P-384", "secp384r1", "sha384")),
  "ECDSA-P-521-SHA-512": ecdsaScheme("P-521", ecdsa("P-521", "secp521r1", "sha512")),
}

function edwards(name: EdwardsName): SignatureLibrary {
  const unknown = base64url(new Uint8Array(edwardsSizes[name].keySize))
  const publicKeys = publicKeyCache((bytes) => ({ kty: "OKP", crv: name, x: base64url(bytes) }))

  return {
    importKey(privateKey) {
      // OpenSSL computes the public key anew and ignores the `x` that the format demands.
      const jwk = { kty: "OKP", crv: name, d: base64url(privateKey), x: unknown }
      const key = createPrivateKey({ key: jwk, format: "jwk" })
      return importedKey(key, fromBase64url(createPublicKey(key).export({ format: "jwk" }).x!), null)
    },
    verify: (publicKey, message, signature) => verify(null, message, publicKeys(publicKey), signature),
  }
}

function ecdsa(name: NistCurveName, curve: string, hash: string) {
  const { privateKeySize } = groupSizes[name]
  const publicKeys = publicKeyCache(jwkOf)

  return {
    isOnCurve: (point: Uint8Array) => isOnCurve(curve, point),
    importKey(privateKey: Uint8Array) {
      const publicKey = nodeGroups[name].publicKey(privateKey)!
      const jwk = { ...jwkOf(publicKey), d: base64url(privateKey) }
      return importedKey(createPrivateKey({ key: jwk, format: "jwk" }), publicKey, hash)
    },
    verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
      verify(hash, message, publicKeys(publicKey), signature),
  }

  function jwkOf(publicKey: Uint8Array): JsonWebKey {
    const middle = 1 + privateKeySize
    const [x, y] = [publicKey.subarray(1, middle), publicKey.subarray(middle)]
    return { kty: "EC", crv: name, x: base64url(x), y: base64url(y) }
  }
}

/** OpenSSL cleanses its own copy when the KeyObject, which nothing else holds, is collected. */
function importedKey(key: KeyObject, publicKey: Uint8Array, hash: string | null): ImportedKey {
  return { publicKey, sign: (message) => plain(sign(hash, message, key)) }
}

/**
 * A member's key checks many signatures, and importing it costs a tenth of checking one. The cache holds a key as long
 * as the array it came from, and compares the bytes, so that an array written to afterwards is imported anew.
 */
function publicKeyCache(jwkOf: (bytes: Uint8Array) => JsonWebKey): (bytes: Uint8Array) => KeyObject {
  const cache = new WeakMap<Uint8Array, { bytes: Uint8Array; key: KeyObject }>()
  return (bytes) => {
    const known = cache.get(bytes)
    if (known && equalBytes(known.bytes, bytes)) return known.key
    const key = createPublicKey({ key: jwkOf(bytes), format: "jwk" })
    cache.set(bytes, { bytes: new Uint8Array(bytes), key })
    return key
  }
}
