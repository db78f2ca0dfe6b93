import { createECDH, createPublicKey, diffieHellman, ECDH, type KeyObject } from "node:crypto"
import type { MontgomeryName } from "../checked/curves.js"
import { type GroupLibrary, montgomeryGroup, nistGroup } from "../checked/group.js"
import type { CryptoProvider, KemGroup, KemGroupName } from "../provider.js"
import { plain } from "./bytes.js"
import { keyImport, publicKeyBytes } from "./keys.js"

const groups: Readonly<Record<KemGroupName, KemGroup>> = {
  X25519: montgomeryGroup("X25519", montgomery("X25519")),
  X448: montgomeryGroup("X448", montgomery("X448")),
  "P-256": nistGroup("P-256", nist("prime256v1")),
  "P-384": nistGroup("P-384", nist("secp384r1")),
  "P-521": nistGroup("P-521", nist("secp521r1")),
}

/** How keys are agreed on with this library: over a Diffie-Hellman group, or by a KEM of another kind. */
export const nodeKeyAgreement = { groups } satisfies Pick<CryptoProvider, "groups" | "kems">

function montgomery(name: MontgomeryName): GroupLibrary {
  return {
    publicKey: (privateKey) => publicKeyOf(keyImport.privateKey(name, privateKey)),
    multiply: (privateKey, peer) => multiply(keyImport.privateKey(name, privateKey), peer),
    exchange(privateKey, peer) {
      const key = keyImport.privateKey(name, privateKey)
      return { sharedSecret: multiply(key, peer), publicKey: publicKeyOf(key) }
    },
  }

  function publicKeyOf(privateKey: KeyObject): Uint8Array {
    return publicKeyBytes(createPublicKey(privateKey))
  }

  function multiply(privateKey: KeyObject, peer: Uint8Array): Uint8Array {
    return plain(diffieHellman({ privateKey, publicKey: keyImport.publicKey(name, peer) }))
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
