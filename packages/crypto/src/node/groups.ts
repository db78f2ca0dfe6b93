import { createECDH, createPrivateKey, createPublicKey, diffieHellman, ECDH, type KeyObject } from "node:crypto"
import { groupSizes, type MontgomeryName } from "../checked/curves.js"
import { type GroupLibrary, montgomeryGroup, nistGroup } from "../checked/group.js"
import type { KemGroup, KemGroupName } from "../provider.js"
import { base64url, fromBase64url, plain } from "./bytes.js"

export const nodeGroups: Readonly<Record<KemGroupName, KemGroup>> = {
  X25519: montgomeryGroup("X25519", montgomery("X25519")),
  X448: montgomeryGroup("X448", montgomery("X448")),
  "P-256": nistGroup("P-256", nist("prime256v1")),
  "P-384": nistGroup("P-384", nist("secp384r1")),
  "P-521": nistGroup("P-521", nist("secp521r1")),
}

function montgomery(name: MontgomeryName): GroupLibrary {
  const unknown = base64url(new Uint8Array(groupSizes[name].publicKeySize))

  return {
    publicKey: (privateKey) => publicKeyOf(importPrivate(privateKey)),
    multiply: (privateKey, peer) => multiply(importPrivate(privateKey), peer),
    exchange(privateKey, peer) {
      const key = importPrivate(privateKey)
      return { sharedSecret: multiply(key, peer), publicKey: publicKeyOf(key) }
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

  function multiply(privateKey: KeyObject, peer: Uint8Array): Uint8Array {
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: name, x: base64url(peer) }, format: "jwk" })
    return plain(diffieHellman({ privateKey, publicKey }))
  }
}

function nist(curve: string) {
  return {
    publicKey: (privateKey: Uint8Array) => plain(importPrivate(privateKey).getPublicKey()),
    multiply: (privateKey: Uint8Array, peer: Uint8Array) => plain(importPrivate(privateKey).computeSecret(peer)),
    exchange(privateKey: Uint8Array, peer: Uint8Array) {
      const key = importPrivate(privateKey)
      return { sharedSecret: plain(key.computeSecret(peer)), publicKey: plain(key.getPublicKey()) }
    },
    isOnCurve: (point: Uint8Array) => isOnCurve(curve, point),
  }

  function importPrivate(privateKey: Uint8Array): ECDH {
    const key = createECDH(curve)
    key.setPrivateKey(privateKey)
    return key
  }
}

export function isOnCurve(curve: string, point: Uint8Array): boolean {
  try {
    ECDH.convertKey(point, curve, undefined, undefined, "uncompressed")
    return true
  } catch {
    return false
  }
}
