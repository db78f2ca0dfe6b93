import type { KemGroup } from "../provider.js"
import {
  groupSizes,
  isMontgomeryPublicKey,
  isScalar,
  isUncompressed,
  isZero,
  type MontgomeryName,
  type NistCurveName,
} from "./curves.js"

/** A library's multiplication. What it is given has the right length; private keys of a NIST curve are in range. */
export interface GroupLibrary {
  publicKey(privateKey: Uint8Array): Uint8Array
  /** The coordinate of the product. Throws for a point off the curve. */
  multiply(privateKey: Uint8Array, peer: Uint8Array): Uint8Array
  /** Both at once, where that is cheaper. Throws as `multiply` does. */
  exchange?(privateKey: Uint8Array, peer: Uint8Array): { publicKey: Uint8Array; sharedSecret: Uint8Array }
}

/** Refuses, in every provider alike, what RFC 9180 §7.1.4 tells of Montgomery curves: points of low order. */
export function montgomeryGroup(name: MontgomeryName, library: GroupLibrary): KemGroup {
  const { privateKeySize, publicKeySize } = groupSizes[name]
  return checkedGroup(name, library, {
    isPrivateKey: (bytes) => bytes.length === privateKeySize,
    isPeer: (bytes) => bytes.length === publicKeySize,
    isPublicKey: (bytes) => isMontgomeryPublicKey(name, bytes),
    isProduct: (bytes) => !isZero(bytes),
  })
}

/** Refuses, in every provider alike, scalars out of range, compressed and hybrid points, and points off the curve. */
export function nistGroup(
  name: NistCurveName,
  library: GroupLibrary & { isOnCurve(point: Uint8Array): boolean },
): KemGroup {
  return checkedGroup(name, library, {
    isPrivateKey: (bytes) => isScalar(name, bytes),
    isPeer: (bytes) => isUncompressed(name, bytes),
    isPublicKey: (bytes) => isUncompressed(name, bytes) && library.isOnCurve(bytes),
    // The curve's order is prime: nothing but infinity has a low order, and x = 0 is a coordinate like any other.
    isProduct: () => true,
  })
}

function checkedGroup(
  name: keyof typeof groupSizes,
  library: GroupLibrary,
  rules: Record<"isPrivateKey" | "isPeer" | "isPublicKey" | "isProduct", (bytes: Uint8Array) => boolean>,
): KemGroup {
  const exchange =
    library.exchange?.bind(library) ??
    ((privateKey: Uint8Array, peer: Uint8Array) => ({
      sharedSecret: library.multiply(privateKey, peer),
      publicKey: library.publicKey(privateKey),
    }))

  return {
    ...groupSizes[name],
    isPublicKey: rules.isPublicKey,
    publicKey: (privateKey) => (rules.isPrivateKey(privateKey) ? library.publicKey(privateKey) : undefined),

    diffieHellman(privateKey, peer) {
      if (!rules.isPrivateKey(privateKey) || !rules.isPeer(peer)) return undefined
      try {
        const product = library.multiply(privateKey, peer)
        return rules.isProduct(product) ? product : undefined
      } catch {
        return undefined
      }
    },

    exchange(privateKey, peer) {
      if (!rules.isPrivateKey(privateKey) || !rules.isPeer(peer)) return undefined
      try {
        const result = exchange(privateKey, peer)
        return rules.isProduct(result.sharedSecret) ? result : undefined
      } catch {
        return undefined
      }
    },
  }
}
