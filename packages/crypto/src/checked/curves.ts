import { fromHex } from "../bytes.js"
import type { KemGroupName } from "../provider.js"

/** Bytes of the private keys, public keys and shared secrets of each group (RFC 9180 §7.1). */
export const groupSizes: Readonly<
  Record<KemGroupName, { privateKeySize: number; publicKeySize: number; sharedSecretSize: number }>
> = {
  X25519: { privateKeySize: 32, publicKeySize: 32, sharedSecretSize: 32 },
  X448: { privateKeySize: 56, publicKeySize: 56, sharedSecretSize: 56 },
  "P-256": { privateKeySize: 32, publicKeySize: 65, sharedSecretSize: 32 },
  "P-384": { privateKeySize: 48, publicKeySize: 97, sharedSecretSize: 48 },
  "P-521": { privateKeySize: 66, publicKeySize: 133, sharedSecretSize: 66 },
}

export type NistCurveName = "P-256" | "P-384" | "P-521"
export type MontgomeryName = "X25519" | "X448"

// FIPS 186-4 D.1.2, big endian.
const orders: Readonly<Record<NistCurveName, Uint8Array>> = {
  "P-256": fromHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
  "P-384": fromHex(`${"f".repeat(48)}c7634d81f4372ddf581a0db248b0a77aecec196accc52973`),
  "P-521": fromHex(`01${"f".repeat(64)}fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409`),
}

/** Whether 0 < `scalar` < the curve's order, in a time that depends on the length alone. */
export function isScalar(curve: NistCurveName, scalar: Uint8Array): boolean {
  const order = orders[curve]
  if (scalar.length !== order.length) return false
  let nonZero = 0
  let borrow = 0
  for (let i = scalar.length - 1; i >= 0; i--) {
    nonZero |= scalar[i]!
    borrow = ((scalar[i]! - order[i]! - borrow) >> 8) & 1
  }
  return nonZero !== 0 && borrow === 1
}

/** A scalar of the curve by rejection (FIPS 186-5 A.2.2), from as many draws of random bytes as it takes. */
export function drawScalar(curve: NistCurveName, random: (length: number) => Uint8Array): Uint8Array {
  const { privateKeySize } = groupSizes[curve]
  for (let attempt = 0; attempt < 128; attempt++) {
    const scalar = random(privateKeySize)
    if (curve === "P-521") scalar[0]! &= 0x01
    if (isScalar(curve, scalar)) return scalar
    scalar.fill(0)
  }
  throw new RangeError("the source of randomness gives no scalar")
}

/** Uncompressed and of the right length (RFC 8446 §4.2.8.2); whether it is on the curve is the library's to say. */
export function isUncompressed(curve: NistCurveName, bytes: Uint8Array): boolean {
  return bytes.length === groupSizes[curve].publicKeySize && bytes[0] === 0x04
}

// RFC 7748 §6: u-coordinates, little endian, whose product with any scalar is zero: 0, 1 and p - 1 on both curves, the
// two of order 8 on Curve25519, and the spellings of 0 and 1 beyond p.
const lowOrder = {
  X25519: [
    "00".repeat(32),
    `01${"00".repeat(31)}`,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`,
    `ee${"ff".repeat(30)}7f`,
  ],
  X448: [
    "00".repeat(56),
    `01${"00".repeat(55)}`,
    `fe${"ff".repeat(27)}fe${"ff".repeat(27)}`,
    `ff${"ff".repeat(27)}fe${"ff".repeat(27)}`,
    `${"00".repeat(28)}${"ff".repeat(28)}`,
  ],
}
const lowOrderPoints = { X25519: lowOrder.X25519.map(fromHex), X448: lowOrder.X448.map(fromHex) }

/** Whether a public key of the right length has no low order. RFC 7748 §5: X25519 ignores the highest bit. */
export function isMontgomeryPublicKey(group: MontgomeryName, bytes: Uint8Array): boolean {
  if (bytes.length !== groupSizes[group].publicKeySize) return false
  const lastMask = group === "X25519" ? 0x7f : 0xff
  return !lowOrderPoints[group].some((point) => isSameCoordinate(bytes, point, lastMask))
}

/** For public values: the first difference decides. */
function isSameCoordinate(bytes: Uint8Array, coordinate: Uint8Array, lastMask: number): boolean {
  const last = coordinate.length - 1
  for (let i = 0; i < last; i++) if (bytes[i] !== coordinate[i]) return false
  return (bytes[last]! & lastMask) === coordinate[last]
}

/** Whether every byte is zero, in a time that depends on the length alone. */
export function isZero(bytes: Uint8Array): boolean {
  let any = 0
  for (let i = 0; i < bytes.length; i++) any |= bytes[i]!
  return any === 0
}
