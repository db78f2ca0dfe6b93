import { ed448 } from "@noble/curves/ed448.js"
import { ed25519 } from "@noble/curves/ed25519.js"

/*
 * RFC 8032 leaves room: with or without the cofactor, points of small order, unreduced coordinates. Libraries fill it
 * in different ways, and a signature that one member accepts and another refuses splits a group. What holds here, in
 * every provider:
 *
 *   - the public key and R are canonical (§5.1.3, §5.2.3) and not of small order, S is below the order;
 *   - Ed25519 verifies without the cofactor (§5.1.7, the stricter of the two), as OpenSSL and libsodium do;
 *   - Ed448 verifies with the cofactor (§5.2.7), as OpenSSL does.
 */

export type EdwardsName = "Ed25519" | "Ed448"

export const edwardsSizes: Readonly<Record<EdwardsName, { keySize: number; signatureSize: number }>> = {
  Ed25519: { keySize: 32, signatureSize: 64 },
  Ed448: { keySize: 57, signatureSize: 114 },
}

const curves = { Ed25519: ed25519, Ed448: ed448 }

/** Whether the lengths, the public key and R are such that a library may be asked about the signature. */
export function isVerifiable(name: EdwardsName, publicKey: Uint8Array, signature: Uint8Array): boolean {
  const { keySize, signatureSize } = edwardsSizes[name]
  return (
    publicKey.length === keySize &&
    signature.length === signatureSize &&
    isAcceptable(name, publicKey) &&
    isAcceptable(name, signature.subarray(0, keySize))
  )
}

/** Whether the bytes are a point of the curve that can be a public key. It takes a square root: about 0.1 ms. */
export function isEdwardsPublicKey(name: EdwardsName, bytes: Uint8Array): boolean {
  if (bytes.length !== edwardsSizes[name].keySize || !isAcceptable(name, bytes)) return false
  try {
    curves[name].Point.fromBytes(bytes)
    return true
  } catch {
    return false
  }
}

// The y-coordinates of the points of order 1, 2, 4 and 8 (four of them on Ed25519, with two values of y), little endian.
const smallOrder: Readonly<Record<EdwardsName, readonly Uint8Array[]>> = {
  Ed25519: [
    "01".padEnd(64, "0"),
    `ec${"f".repeat(60)}7f`,
    "0".repeat(64),
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  ].map(fromHex),
  Ed448: ["01".padEnd(114, "0"), `fe${"f".repeat(54)}fe${"f".repeat(54)}00`, "0".repeat(114)].map(fromHex),
}
// p, little endian: 2²⁵⁵ - 19 and 2⁴⁴⁸ - 2²²⁴ - 1, which the y-coordinate has to be below.
const prime: Readonly<Record<EdwardsName, Uint8Array>> = {
  Ed25519: fromHex(`ed${"f".repeat(60)}7f`),
  Ed448: fromHex(`${"f".repeat(56)}fe${"f".repeat(54)}00`),
}

function isAcceptable(name: EdwardsName, point: Uint8Array): boolean {
  return isBelow(point, prime[name]) && !smallOrder[name].some((y) => isSameY(point, y))
}

/** Public values alone are compared: the first difference decides. The sign of x is the last byte's highest bit. */
function isBelow(point: Uint8Array, limit: Uint8Array): boolean {
  for (let i = limit.length - 1; i >= 0; i--) {
    const byte = i === limit.length - 1 ? point[i]! & 0x7f : point[i]!
    if (byte !== limit[i]!) return byte < limit[i]!
  }
  return false
}

function isSameY(point: Uint8Array, y: Uint8Array): boolean {
  const last = y.length - 1
  for (let i = 0; i < last; i++) if (point[i] !== y[i]) return false
  return (point[last]! & 0x7f) === y[last]
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g)!, (byte) => Number.parseInt(byte, 16))
}
