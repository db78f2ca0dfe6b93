import { ed448 } from "@noble/curves/ed448.js"
import { ED25519_TORSION_SUBGROUP, ed25519 } from "@noble/curves/ed25519.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { concat } from "../../src/bytes.js"
import { bytes, providers } from "../support.js"
import type { Dice } from "./dice.js"
import { numberBytes } from "./points.js"

export interface EdwardsCase {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

const orders = { Ed25519: ed25519.Point.Fn.ORDER, Ed448: ed448.Point.Fn.ORDER }
const primes = { Ed25519: ed25519.Point.Fp.ORDER, Ed448: ed448.Point.Fp.ORDER }
const sizes = { Ed25519: 32, Ed448: 57 }

/** Signatures: right ones, and what libraries read differently. */
export function edwardsCase(dice: Dice, name: "Ed25519" | "Ed448"): EdwardsCase {
  const size = sizes[name]
  const message = dice.text()
  using key = providers[0]!.signatures[name]!.importKey(dice.bytes(size))
  const signature = key.sign(message)
  const right = { publicKey: key.publicKey, message, signature }
  const [r, s] = [signature.subarray(0, size), signature.subarray(size)]
  switch (dice.below(9)) {
    case 0:
      return right
    case 1:
      return { ...right, signature: dice.mutated(signature) }
    case 2:
      return { ...right, publicKey: dice.mutated(key.publicKey) }
    case 3: {
      // S beyond the order: the same number modulo the order.
      const number = numberOf(s) + orders[name] * BigInt(1 + dice.below(3))
      return { ...right, signature: concat(r, encoded(number, size)) }
    }
    case 4:
      return { ...right, publicKey: oddPoint(dice, name) }
    case 5:
      return { ...right, signature: concat(oddPoint(dice, name), s) }
    case 6:
      // Of small order both, with any S: the equation may hold for every message.
      return {
        publicKey: oddPoint(dice, name),
        message,
        signature: concat(oddPoint(dice, name), dice.pick([s, encoded(0n, size)])),
      }
    case 7:
      return name === "Ed25519" ? withTorsion(dice, message) : right
    default:
      return { publicKey: dice.around(size), message: dice.text(), signature: dice.around(2 * size) }
  }
}

/** The y-coordinates of small order, and others at and beyond the prime, with either sign. */
function oddPoint(dice: Dice, name: "Ed25519" | "Ed448"): Uint8Array {
  const size = sizes[name]
  const prime = primes[name]
  if (name === "Ed25519" && dice.isOne(2)) return bytes(dice.pick(ED25519_TORSION_SUBGROUP))
  const y = dice.pick([
    0n,
    1n,
    2n,
    prime - 1n,
    prime,
    prime + 1n,
    prime + BigInt(dice.below(20)),
    BigInt(dice.below(1000)),
  ])
  const point = encoded(y, size)
  if (dice.isOne(2)) point[size - 1]! |= 0x80
  return point
}

/** Signed by a key or with a nonce that has a part of small order: the cofactor decides. */
function withTorsion(dice: Dice, message: Uint8Array): EdwardsCase {
  const { Point } = ed25519
  const scalar = () => (numberOf(dice.bytes(40)) % (Point.Fn.ORDER - 1n)) + 1n
  const torsion = () => Point.fromHex(dice.pick(ED25519_TORSION_SUBGROUP), true)
  const [a, nonce] = [scalar(), scalar()]
  const publicKey = Point.BASE.multiply(a).add(torsion()).toBytes()
  const r = Point.BASE.multiply(nonce).add(torsion()).toBytes()
  const k = numberOf(sha512(concat(r, publicKey, message))) % Point.Fn.ORDER
  const s = (nonce + k * a) % Point.Fn.ORDER
  return { publicKey, message, signature: concat(r, encoded(s, 32)) }
}

function numberOf(littleEndian: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(littleEndian).reverse().toString("hex") || "0"}`)
}

function encoded(number: bigint, size: number): Uint8Array {
  return numberBytes(number, size).reverse()
}
