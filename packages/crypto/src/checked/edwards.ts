import { fromHex } from "../bytes.js"

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

/** Whether the bytes are a point of the curve that can be a public key. */
export function isEdwardsPublicKey(name: EdwardsName, bytes: Uint8Array): boolean {
  return bytes.length === edwardsSizes[name].keySize && isAcceptable(name, bytes) && isOnCurve(name, bytes)
}

// RFC 8032 §5.1 and §5.2: ax² + y² = 1 + dx²y² over the field of p.
const equations: Readonly<Record<EdwardsName, { p: bigint; a: bigint; d: bigint }>> = {
  Ed25519: {
    p: 2n ** 255n - 19n,
    a: -1n,
    d: 37095705934669439343138083508754565189542113879843219016388785533085940283555n,
  },
  Ed448: { p: 2n ** 448n - 2n ** 224n - 1n, a: 1n, d: -39081n },
}

/**
 * Whether some x belongs to the y-coordinate: x² = (1 - y²) / (a - dy²) has to be a square, and with it the product of
 * the two. A curve library would tell, but takes 30 ms to load.
 */
function isOnCurve(name: EdwardsName, point: Uint8Array): boolean {
  const { p, a, d } = equations[name]
  const y = coordinateY(point)
  const square = (y * y) % p
  const product = ((1n - square) * (a - d * square)) % p
  return jacobi(product < 0n ? product + p : product, p) === 1
}

function coordinateY(point: Uint8Array): bigint {
  let hex = ""
  for (const byte of point) hex = byte.toString(16).padStart(2, "0") + hex
  return BigInt.asUintN(8 * point.length - 1, BigInt(`0x${hex}`))
}

/**
 * The Jacobi symbol of a number below an odd modulus: 1 for the squares modulo a prime. For public values only, since
 * its time tells them.
 */
function jacobi(numerator: bigint, modulus: bigint): number {
  let symbol = 1
  let [a, n] = [numerator, modulus]
  while (a > 0n) {
    // Quadratic reciprocity: its second supplement for the factors of two, the law itself for the exchange.
    for (; (a & 1n) === 0n; a >>= 1n) {
      const residue = Number(n & 7n)
      if (residue === 3 || residue === 5) symbol = -symbol
    }
    if ((a & 3n) === 3n && (n & 3n) === 3n) symbol = -symbol
    const rest = n % a
    n = a
    a = rest
  }
  return n === 1n ? symbol : 0
}

// The y-coordinates of the points of order 1, 2 and 4, and of the four of order 8 on Ed25519, little endian.
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
