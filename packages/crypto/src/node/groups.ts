import { createECDH, createPrivateKey, createPublicKey, diffieHellman, ECDH, type KeyObject } from "node:crypto"
import { groupSizes, isMontgomeryPublicKey, isScalar, isUncompressed, isZero, type NistCurveName } from "../curves.js"
import type { KemGroup, KemGroupName } from "../provider.js"
import { base64url, fromBase64url, plain } from "./bytes.js"

export const nodeGroups: Readonly<Record<KemGroupName, KemGroup>> = {
  X25519: montgomery("X25519"),
  X448: montgomery("X448"),
  "P-256": nist("P-256", "prime256v1"),
  "P-384": nist("P-384", "secp384r1"),
  "P-521": nist("P-521", "secp521r1"),
}

function montgomery(name: "X25519" | "X448"): KemGroup {
  const sizes = groupSizes[name]
  const unknown = base64url(new Uint8Array(sizes.publicKeySize))

  return {
    ...sizes,
    isPublicKey: (bytes) => isMontgomeryPublicKey(name, bytes),

    publicKey(privateKey) {
      if (privateKey.length !== sizes.privateKeySize) return undefined
      return publicKeyOf(importPrivate(privateKey))
    },

    diffieHellman(privateKey, peer) {
      if (privateKey.length !== sizes.privateKeySize || peer.length !== sizes.publicKeySize) return undefined
      return multiply(importPrivate(privateKey), peer)
    },

    exchange(privateKey, peer) {
      if (privateKey.length !== sizes.privateKeySize || peer.length !== sizes.publicKeySize) return undefined
      const key = importPrivate(privateKey)
      const sharedSecret = multiply(key, peer)
      return sharedSecret && { publicKey: publicKeyOf(key), sharedSecret }
    },
  }

  // A JWK imports ten times faster than DER, at the price of a short-lived string that holds the private key. OpenSSL
  // computes the public key anew and ignores the `x` that the format demands.
  function importPrivate(privateKey: Uint8Array): KeyObject {
    return createPrivateKey({ key: { kty: "OKP", crv: name, d: base64url(privateKey), x: unknown }, format: "jwk" })
  }

  function publicKeyOf(key: KeyObject): Uint8Array {
    return fromBase64url(createPublicKey(key).export({ format: "jwk" }).x!)
  }

  function multiply(privateKey: KeyObject, peer: Uint8Array): Uint8Array | undefined {
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: name, x: base64url(peer) }, format: "jwk" })
    try {
      const product = plain(diffieHellman({ privateKey, publicKey }))
      return isZero(product) ? undefined : product
    } catch {
      // OpenSSL refuses the all-zero product itself.
      return undefined
    }
  }
}

function nist(name: NistCurveName, curve: string): KemGroup {
  const sizes = groupSizes[name]

  return {
    ...sizes,

    isPublicKey(bytes) {
      if (!isUncompressed(name, bytes)) return false
      try {
        ECDH.convertKey(bytes, curve, undefined, undefined, "uncompressed")
        return true
      } catch {
        return false
      }
    },

    publicKey(privateKey) {
      return isScalar(name, privateKey) ? plain(importPrivate(privateKey).getPublicKey()) : undefined
    },

    diffieHellman(privateKey, peer) {
      if (!isScalar(name, privateKey) || !isUncompressed(name, peer)) return undefined
      return multiply(importPrivate(privateKey), peer)
    },

    exchange(privateKey, peer) {
      if (!isScalar(name, privateKey) || !isUncompressed(name, peer)) return undefined
      const key = importPrivate(privateKey)
      const sharedSecret = multiply(key, peer)
      return sharedSecret && { publicKey: plain(key.getPublicKey()), sharedSecret }
    },
  }

  function importPrivate(privateKey: Uint8Array): ECDH {
    const key = createECDH(curve)
    key.setPrivateKey(privateKey)
    return key
  }

  function multiply(privateKey: ECDH, peer: Uint8Array): Uint8Array | undefined {
    try {
      return plain(privateKey.computeSecret(peer))
    } catch {
      // Off the curve.
      return undefined
    }
  }
}
