import { p256, p384, p521 } from "@noble/curves/nist.js"
import { groupSizes } from "../../src/checked/curves.js"
import { bytes } from "../support.js"
import type { Dice } from "./dice.js"

const curves = { "P-256": p256, "P-384": p384, "P-521": p521 }
export type NistName = keyof typeof curves

/** Big endian; of a negative number, or of one that is too long, as many bytes as fit. */
export function numberBytes(number: bigint, size: number): Uint8Array {
  return bytes(
    BigInt.asUintN(8 * size, number)
      .toString(16)
      .padStart(2 * size, "0"),
  )
}

function littleEndian(number: bigint, size: number): Uint8Array {
  return numberBytes(number, size).reverse()
}

/** Private keys in range, at its ends and beyond, and of other lengths. */
export function nistScalar(dice: Dice, name: NistName): Uint8Array {
  const { ORDER, BYTES } = curves[name].Point.Fn
  const edges = [0n, 1n, 2n, ORDER - 2n, ORDER - 1n, ORDER, ORDER + 1n, (1n << BigInt(8 * BYTES)) - 1n]
  const kind = dice.below(6)
  if (kind === 0) return numberBytes(dice.pick(edges), BYTES)
  if (kind === 1) return dice.around(BYTES)
  const drawn = dice.bytes(BYTES)
  if (name === "P-521") drawn[0]! &= 1
  return drawn
}

/** Points, and what looks like one: infinity, compressed, hybrid, off the curve, coordinates beyond the prime. */
export function nistPeer(dice: Dice, name: NistName): Uint8Array {
  const { Point } = curves[name]
  const { publicKeySize } = groupSizes[name]
  const size = Point.Fp.BYTES
  const kind = dice.below(14)
  if (kind === 0) return dice.pick([Uint8Array.of(0), new Uint8Array(publicKeySize), Uint8Array.of(4)])
  if (kind === 1) return dice.around(publicKeySize)
  const point = Point.BASE.multiplyUnsafe(BigInt(2 + dice.below(2 ** 31)))
  const { x, y } = point.toAffine()
  const uncompressed = (head: number, x: bigint, y: bigint) =>
    new Uint8Array([head, ...numberBytes(x, size), ...numberBytes(y, size)])
  if (kind === 2) return point.toBytes(true)
  if (kind === 3) return uncompressed(dice.pick([0, 2, 3, 5, 6, 7, 0x84, 0xff]), x, y)
  if (kind === 4) return uncompressed(4, x, Point.Fp.ORDER - y)
  if (kind === 5) return uncompressed(4, x, y + 1n)
  if (kind === 6) return uncompressed(4, x + Point.Fp.ORDER, y)
  if (kind === 7) return uncompressed(4, x, y + Point.Fp.ORDER)
  if (kind === 8)
    return uncompressed(4, dice.pick([0n, 1n, Point.Fp.ORDER, Point.Fp.ORDER - 1n]), dice.pick([0n, 1n, y]))
  if (kind === 9) return dice.mutated(uncompressed(4, x, y))
  return uncompressed(4, x, y)
}

const primes = { X25519: 2n ** 255n - 19n, X448: 2n ** 448n - 2n ** 224n - 1n }
const lowOrder = {
  X25519: [
    325606250916557431795983626356110631294008115727848805560023387167927233504n,
    39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  ],
  X448: [],
}

/** Coordinates: of low order, in other spellings, with the highest bit, of other lengths, and any. */
export function montgomeryPeer(dice: Dice, name: "X25519" | "X448"): Uint8Array {
  const { publicKeySize } = groupSizes[name]
  const prime = primes[name]
  const kind = dice.below(6)
  if (kind === 0) return dice.around(publicKeySize)
  if (kind === 1 || kind === 2) {
    const small = dice.pick([0n, 1n, prime - 1n, ...lowOrder[name], BigInt(dice.below(40))])
    const peer = littleEndian(kind === 1 ? small : small + prime, publicKeySize)
    if (dice.isOne(3)) peer[publicKeySize - 1]! ^= 0x80
    return peer
  }
  const peer = dice.bytes(publicKeySize)
  if (dice.isOne(2)) peer[publicKeySize - 1]! |= 0x80
  return peer
}
