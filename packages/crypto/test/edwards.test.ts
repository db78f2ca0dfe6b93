import assert from "node:assert/strict"
import { test } from "node:test"
import { ED448_TORSION_SUBGROUP, ed448 } from "@noble/curves/ed448.js"
import { ED25519_TORSION_SUBGROUP, ed25519 } from "@noble/curves/ed25519.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { shake256 } from "@noble/hashes/sha3.js"
import { concat } from "../src/index.js"
import { bytes, hex, providers, seeded, unanimous } from "./support.js"

/*
 * The corners of EdDSA in which libraries differ, made with the mathematics: keys A = aB + T and R = rB + U, where T
 * and U run through the points of small order, and the s that solves sB = R + kA but for the torsion.
 */
const schemes = {
  Ed25519: {
    curve: ed25519,
    size: 32,
    torsion: ED25519_TORSION_SUBGROUP,
    challenge: (...parts: Uint8Array[]) => sha512(concat(...parts)),
  },
  Ed448: {
    curve: ed448,
    size: 57,
    torsion: ED448_TORSION_SUBGROUP,
    // RFC 8032 §5.2: dom4 with no context.
    challenge: (...parts: Uint8Array[]) =>
      shake256(concat(Buffer.from("SigEd448\0\0", "latin1"), ...parts), { dkLen: 114 }),
  },
} as const

for (const name of ["Ed25519", "Ed448"] as const) {
  const { curve, size, torsion, challenge } = schemes[name]
  const { Point } = curve
  const order = Point.Fn.ORDER
  const verdict = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
    unanimous(providers.map((p) => [p.name, p.signatures[name]!.verify(publicKey, message, signature)] as const))
  const isPublicKey = (publicKey: Uint8Array) =>
    unanimous(providers.map((p) => [p.name, p.signatures[name]!.isPublicKey(publicKey)] as const))

  test(`${name}: every provider gives torsion the same verdict, the one that is written down`, () => {
    let verified = 0
    for (const [t, ofKey] of torsion.entries()) {
      for (const [u, ofR] of torsion.entries()) {
        for (let attempt = 0; attempt < 3; attempt++) {
          const [a, r] = [1234567n + BigInt(attempt), 7654321n + BigInt(attempt)]
          const A = Point.BASE.multiply(a).add(Point.fromHex(ofKey, true))
          const R = Point.BASE.multiply(r).add(Point.fromHex(ofR, true))
          const message = Uint8Array.of(t, u, attempt)
          const k = littleEndian(challenge(R.toBytes(), A.toBytes(), message)) % order
          const s = (r + k * a) % order
          const exact = Point.BASE.multiplyUnsafe(s).equals(R.add(A.multiplyUnsafe(k)))
          const expected = name === "Ed448" || exact
          assert.equal(verdict(A.toBytes(), message, concat(R.toBytes(), toBytes(s, size))), expected)
          assert.equal(isPublicKey(A.toBytes()), true)
          if (expected) verified++
        }
      }
    }
    assert.ok(verified > 0)
  })

  test(`${name}: a key or an R of small order verifies nothing, though the equation holds`, () => {
    const message = bytes("00")
    for (const point of torsion) {
      const small = Point.fromHex(point, true)
      const encoded = small.toBytes()
      assert.equal(isPublicKey(encoded), false, point)
      const R = Point.BASE.multiply(99n)
      assert.equal(verdict(encoded, message, concat(R.toBytes(), toBytes(99n, size))), false)

      const A = Point.BASE.multiply(77n)
      const k = littleEndian(challenge(encoded, A.toBytes(), message)) % order
      assert.equal(verdict(A.toBytes(), message, concat(encoded, toBytes((k * 77n) % order, size))), false)
      assert.equal(verdict(encoded, message, concat(encoded, toBytes(0n, size))), false)
    }
  })

  test(`${name}: s and s plus the order are not the same signature`, () => {
    const key = providers[0]!.signatures[name]!.generate(seeded("malleable"))
    const signature = key.sign(bytes("00"))
    const s = littleEndian(signature.subarray(size))
    assert.equal(verdict(key.publicKey, bytes("00"), signature), true)
    for (const factor of [1n, 2n, 4n, 8n]) {
      const other = concat(signature.subarray(0, size), toBytes(s + factor * order, size))
      assert.equal(verdict(key.publicKey, bytes("00"), other), false)
    }
  })

  test(`${name}: coordinates that are not reduced are no points`, () => {
    const p = Point.Fp.ORDER
    const sign = 1n << BigInt(8 * size - 1)
    const message = bytes("00")
    let onCurve = 0
    for (let y = 0n; y < 19n; y++) {
      for (const bit of [0n, sign]) {
        const unreduced = toBytes((y + p) | bit, size)
        assert.equal(isPublicKey(unreduced), false)
        const reduced = decoded(toBytes(y | bit, size))
        if (!reduced) continue
        onCurve++
        // A verifier that reduces finds the equation to hold for this R: R = sB - kA with k over the unreduced bytes.
        const A = Point.BASE.multiply(5n)
        const k = littleEndian(challenge(unreduced, A.toBytes(), message)) % order
        assert.equal(verdict(A.toBytes(), message, concat(unreduced, toBytes((5n * k) % order, size))), false)
        assert.equal(verdict(unreduced, message, concat(A.toBytes(), toBytes(5n, size))), false)
      }
    }
    assert.ok(onCurve > 0)
    // RFC 8032 §5.1.3 step 4: x = 0 has no sign.
    assert.equal(isPublicKey(toBytes(1n | sign, size)), false)
    assert.equal(isPublicKey(toBytes((p - 1n) | sign, size)), false)
  })

  test(`${name}: bytes that are no point of the curve are no public key`, () => {
    const random = seeded("points")
    let points = 0
    for (let round = 0; round < 40; round++) {
      const candidate = random(size)
      if (name === "Ed448") candidate[size - 1]! &= 0x80
      const expected = decoded(candidate) !== undefined
      assert.equal(isPublicKey(candidate), expected, hex(candidate))
      if (expected) points++
    }
    assert.ok(points > 5 && points < 35)
  })

  function decoded(encoded: Uint8Array) {
    try {
      return Point.fromBytes(encoded)
    } catch {
      return undefined
    }
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`)
}

function toBytes(value: bigint, size: number): Uint8Array {
  const hex = value.toString(16).padStart(2 * size, "0")
  return new Uint8Array(Buffer.from(hex, "hex").reverse())
}
