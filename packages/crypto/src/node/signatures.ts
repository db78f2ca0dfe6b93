import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from "node:crypto"
import { equalBytes, wipe } from "../bytes.js"
import { drawScalar, groupSizes, isScalar, isUncompressed, type NistCurveName } from "../curves.js"
import { isEcdsaSignature } from "../der.js"
import type { SignatureName, SignatureScheme, SigningKey } from "../provider.js"
import { base64url, fromBase64url, plain } from "./bytes.js"
import { nodeGroups } from "./groups.js"

export const nodeSignatures: Readonly<Record<SignatureName, SignatureScheme>> = {
  Ed25519: edwards("Ed25519", 32, 64),
  Ed448: edwards("Ed448", 57, 114),
  "ECDSA-P-256-SHA-256": ecdsa("P-256", "sha256"),
  "ECDSA-P-384-SHA-384": ecdsa("P-384", "sha384"),
  "ECDSA-P-521-SHA-512": ecdsa("P-521", "sha512"),
}

function edwards(name: "Ed25519" | "Ed448", keySize: number, signatureSize: number): SignatureScheme {
  const unknown = base64url(new Uint8Array(keySize))
  const imported = publicKeyCache((bytes) => ({ kty: "OKP", crv: name, x: base64url(bytes) }))

  return {
    privateKeySize: keySize,
    publicKeySize: keySize,
    isPublicKey: (bytes) => bytes.length === keySize && imported(bytes) !== undefined,

    generate(random) {
      const seed = random(keySize)
      const key = this.importKey(seed)
      wipe(seed)
      return key
    },

    importKey(privateKey) {
      if (privateKey.length !== keySize) throw new RangeError(`not a private key of ${name}`)
      // OpenSSL computes the public key anew and ignores the `x` that the format demands.
      const jwk = { kty: "OKP", crv: name, d: base64url(privateKey), x: unknown }
      const key = createPrivateKey({ key: jwk, format: "jwk" })
      const publicKey = fromBase64url(createPublicKey(key).export({ format: "jwk" }).x!)
      return signingKey(privateKey, publicKey, key, null)
    },

    verify(publicKey, message, signature) {
      if (publicKey.length !== keySize || signature.length !== signatureSize) return false
      const key = imported(publicKey)
      return key !== undefined && verify(null, message, key, signature)
    },
  }
}

function ecdsa(curve: NistCurveName, hash: string): SignatureScheme {
  const group = nodeGroups[curve]
  const { privateKeySize, publicKeySize } = groupSizes[curve]
  const imported = publicKeyCache((bytes) => jwkOf(bytes))

  return {
    privateKeySize,
    publicKeySize,
    isPublicKey: (bytes) => group.isPublicKey(bytes),

    generate(random) {
      const scalar = drawScalar(curve, random)
      const key = this.importKey(scalar)
      wipe(scalar)
      return key
    },

    importKey(privateKey) {
      if (!isScalar(curve, privateKey)) throw new RangeError(`not a private key of ${curve}`)
      const publicKey = group.publicKey(privateKey)!
      const key = createPrivateKey({ key: { ...jwkOf(publicKey), d: base64url(privateKey) }, format: "jwk" })
      return signingKey(privateKey, publicKey, key, hash)
    },

    verify(publicKey, message, signature) {
      if (!isUncompressed(curve, publicKey) || !isEcdsaSignature(signature, privateKeySize)) return false
      const key = imported(publicKey)
      return key !== undefined && verify(hash, message, key, signature)
    },
  }

  function jwkOf(publicKey: Uint8Array) {
    const middle = 1 + privateKeySize
    const x = base64url(publicKey.subarray(1, middle))
    return { kty: "EC", crv: curve, x, y: base64url(publicKey.subarray(middle)) }
  }
}

function signingKey(
  privateKey: Uint8Array,
  publicKey: Uint8Array,
  imported: KeyObject,
  hash: string | null,
): SigningKey {
  const own = new Uint8Array(privateKey)
  let key: KeyObject | undefined = imported
  const live = () => {
    if (!key) throw new TypeError("the signing key is disposed")
    return key
  }
  return {
    publicKey,
    sign: (message) => plain(sign(hash, message, live())),
    exportPrivateKey() {
      live()
      return new Uint8Array(own)
    },
    // OpenSSL's own copy is cleansed when the KeyObject is collected.
    [Symbol.dispose]() {
      key = undefined
      wipe(own)
    },
  }
}

/**
 * A member's key checks many signatures, and importing it costs a tenth of checking one. The cache holds a key as long
 * as the array it came from, and compares the bytes, so that an array written to afterwards is imported anew.
 */
function publicKeyCache(jwkOf: (bytes: Uint8Array) => JsonWebKey): (bytes: Uint8Array) => KeyObject | undefined {
  const cache = new WeakMap<Uint8Array, { bytes: Uint8Array; key: KeyObject }>()
  return (bytes) => {
    const known = cache.get(bytes)
    if (known && equalBytes(known.bytes, bytes)) return known.key
    try {
      const key = createPublicKey({ key: jwkOf(bytes), format: "jwk" })
      cache.set(bytes, { bytes: new Uint8Array(bytes), key })
      return key
    } catch {
      return undefined
    }
  }
}
