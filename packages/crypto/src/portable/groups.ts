import { x448 } from "@noble/curves/ed448.js"
import { x25519 } from "@noble/curves/ed25519.js"
import { p256, p384, p521 } from "@noble/curves/nist.js"
import { wipe } from "../bytes.js"
import { type GroupLibrary, montgomeryGroup, nistGroup } from "../checked/group.js"
import type { CryptoProvider, KemGroup, KemGroupName } from "../provider.js"

const groups: Readonly<Record<KemGroupName, KemGroup>> = {
  X25519: montgomeryGroup("X25519", montgomery(x25519)),
  X448: montgomeryGroup("X448", montgomery(x448)),
  "P-256": nistGroup("P-256", nist(p256)),
  "P-384": nistGroup("P-384", nist(p384)),
  "P-521": nistGroup("P-521", nist(p521)),
}

/** How keys are agreed on with this library: over a Diffie-Hellman group, or by a KEM of another kind. */
export const portableKeyAgreement = { groups } satisfies Pick<CryptoProvider, "groups" | "kems">

function montgomery(curve: typeof x25519): GroupLibrary {
  return {
    publicKey: (privateKey) => curve.getPublicKey(privateKey),
    multiply: (privateKey, peer) => curve.getSharedSecret(privateKey, peer),
  }
}

function nist(curve: typeof p256) {
  return {
    publicKey: (privateKey: Uint8Array) => curve.getPublicKey(privateKey, false),
    isOnCurve: (point: Uint8Array) => curve.utils.isValidPublicKey(point, false),
    multiply(privateKey: Uint8Array, peer: Uint8Array) {
      const product = curve.getSharedSecret(privateKey, peer, false)
      const x = product.slice(1, (1 + product.length) / 2)
      wipe(product)
      return x
    },
  }
}
