import assert from "node:assert/strict"
import { test } from "node:test"
import { p256, p384, p521 } from "@noble/curves/nist.js"
import type { KemGroupName } from "../src/index.js"
import { agreements, multiplications, rounds } from "./facts/rfc7748.js"
import { bytes, flipped, groupNames, hex, nistNames, providers, seeded, unanimous } from "./support.js"

const curves = { "P-256": p256, "P-384": p384, "P-521": p521 }

for (const provider of providers) {
  const group = (name: KemGroupName) => provider.groups[name]!

  test(`${provider.name}: X25519 and X448 multiply as RFC 7748 says`, () => {
    for (const fact of multiplications) {
      const product = group(fact.group).diffieHellman(bytes(fact.privateKey), bytes(fact.peer))
      assert.equal(hex(product), fact.product)
    }
    for (const fact of rounds) {
      const base = new Uint8Array(group(fact.group).privateKeySize)
      base[0] = fact.base
      let [k, u]: Uint8Array[] = [base, base]
      for (let round = 0; round < fact.count; round++) [k, u] = [group(fact.group).diffieHellman(k!, u!)!, k]
      assert.equal(hex(k), fact.result)
    }
  })

  test(`${provider.name}: Alice and Bob of RFC 7748 agree`, () => {
    for (const fact of agreements) {
      const { publicKey, diffieHellman } = group(fact.group)
      assert.equal(hex(publicKey(bytes(fact.alice))), fact.alicePublic)
      assert.equal(hex(publicKey(bytes(fact.bob))), fact.bobPublic)
      assert.equal(hex(diffieHellman(bytes(fact.alice), bytes(fact.bobPublic))), fact.shared)
      assert.equal(hex(diffieHellman(bytes(fact.bob), bytes(fact.alicePublic))), fact.shared)
    }
  })

  test(`${provider.name}: points of low order are nobody's public key`, () => {
    for (const [name, points] of Object.entries(lowOrder) as [KemGroupName, string[]][]) {
      const privateKey = seeded("low order")(group(name).privateKeySize)
      for (const point of points) {
        assert.equal(group(name).diffieHellman(privateKey, bytes(point)), undefined, point)
        assert.equal(group(name).exchange!(privateKey, bytes(point)), undefined, point)
        assert.equal(group(name).isPublicKey(bytes(point)), false, point)
      }
    }
  })

  test(`${provider.name}: keys of another length are refused`, () => {
    for (const name of groupNames) {
      const { privateKeySize, publicKeySize, publicKey, diffieHellman, isPublicKey } = group(name)
      const privateKey = new Uint8Array(privateKeySize).fill(1)
      const own = publicKey(privateKey)!
      for (const size of [0, 1, privateKeySize - 1, privateKeySize + 1]) {
        assert.equal(publicKey(new Uint8Array(size).fill(1)), undefined)
        assert.equal(diffieHellman(new Uint8Array(size).fill(1), own), undefined)
      }
      for (const size of [0, 1, publicKeySize - 1]) {
        assert.equal(diffieHellman(privateKey, own.subarray(0, size)), undefined)
        assert.equal(isPublicKey(own.subarray(0, size)), false)
      }
      const longer = new Uint8Array([...own, 0])
      assert.equal(diffieHellman(privateKey, longer), undefined)
      assert.equal(isPublicKey(longer), false)
    }
  })

  test(`${provider.name}: points that are compressed, hybrid, off the curve or beyond the field are refused`, () => {
    for (const name of nistNames) {
      const { privateKeySize, publicKey, diffieHellman, isPublicKey } = group(name)
      const privateKey = new Uint8Array(privateKeySize).fill(1)
      const own = publicKey(privateKey)!
      const hybrid = new Uint8Array(own)
      hybrid[0] = 0x06 | (own.at(-1)! & 1)
      const beyond = new Uint8Array(own.length).fill(0xff)
      beyond[0] = 0x04
      const origin = new Uint8Array(own.length)
      origin[0] = 0x04
      const compressed = curves[name].getPublicKey(privateKey, true)
      const otherwise = [compressed, hybrid, beyond, origin, new Uint8Array(own.length), Uint8Array.of(0)]
      for (const point of [...otherwise, flipped(own, 20), flipped(own, 8 * own.length - 1)]) {
        assert.equal(diffieHellman(privateKey, point), undefined, hex(point))
        assert.equal(isPublicKey(point), false, hex(point))
      }
      assert.equal(isPublicKey(own), true)
    }
  })

  test(`${provider.name}: a scalar lies between zero and the order`, () => {
    for (const name of nistNames) {
      const { privateKeySize, publicKey, diffieHellman } = group(name)
      const peer = publicKey(new Uint8Array(privateKeySize).fill(1))!
      const order = curves[name].Point.Fn.ORDER
      const scalar = (value: bigint) => bytes(value.toString(16).padStart(2 * privateKeySize, "0"))
      const beyond = [0n, order, order + 1n, 2n ** BigInt(8 * privateKeySize) - 1n]
      for (const value of beyond) {
        assert.equal(publicKey(scalar(value)), undefined)
        assert.equal(diffieHellman(scalar(value), peer), undefined)
      }
      assert.equal(hex(publicKey(scalar(1n))), hex(curves[name].Point.BASE.toBytes(false)))
      assert.equal(hex(diffieHellman(scalar(1n), peer)), hex(peer.slice(1, 1 + privateKeySize)))
      // -1 turns the base point's y over and leaves its x.
      const negated = publicKey(scalar(order - 1n))!
      assert.equal(hex(negated), hex(curves[name].Point.BASE.negate().toBytes(false)))
    }
  })

  test(`${provider.name}: the product with x = 0 is a secret like any other on a curve of prime order`, () => {
    for (const name of nistNames) {
      const { Point } = curves[name]
      const { b } = Point.CURVE()
      const zero = Point.fromAffine({ x: 0n, y: Point.Fp.sqrt(b) })
      const peer = zero.multiply(Point.Fn.inv(3n)).toBytes(false)
      const { privateKeySize, diffieHellman } = group(name)
      const three = new Uint8Array(privateKeySize)
      three[privateKeySize - 1] = 3
      assert.deepEqual(diffieHellman(three, peer), new Uint8Array(privateKeySize))
    }
  })

  test(`${provider.name}: keys and secrets are plain arrays in memory of their own`, () => {
    for (const name of groupNames) {
      const { privateKeySize, publicKey, diffieHellman, exchange } = group(name)
      const privateKey = new Uint8Array(privateKeySize).fill(1)
      const own = publicKey(privateKey)!
      const both = exchange!(privateKey, own)!
      for (const result of [own, diffieHellman(privateKey, own)!, both.publicKey, both.sharedSecret]) {
        assert.equal(Object.getPrototypeOf(result), Uint8Array.prototype)
        assert.equal(result.buffer.byteLength, result.length)
      }
    }
  })
}

test("providers agree on public keys and secrets, both sides alike", () => {
  const random = seeded("groups")
  for (const name of groupNames) {
    for (let round = 0; round < 4; round++) {
      const [mine, theirs] = [privateKeyOf(name, random), privateKeyOf(name, random)]
      const agreed = (f: (p: (typeof providers)[number]) => Uint8Array | undefined) =>
        bytes(unanimous(providers.map((p) => [p.name, hex(f(p))] as const))!)
      const myPublic = agreed((p) => p.groups[name]!.publicKey(mine))
      const theirPublic = agreed((p) => p.groups[name]!.publicKey(theirs))
      const secret = agreed((p) => p.groups[name]!.diffieHellman(mine, theirPublic))
      assert.deepEqual(
        agreed((p) => p.groups[name]!.diffieHellman(theirs, myPublic)),
        secret,
      )
      for (const provider of providers) {
        const both = provider.groups[name]!.exchange!(mine, theirPublic)!
        assert.deepEqual(both, { publicKey: myPublic, sharedSecret: secret })
        assert.equal(provider.groups[name]!.isPublicKey(myPublic), true)
      }
    }
  }
})

test("providers agree on coordinates that are not reduced, and on X25519's unused bit", () => {
  const random = seeded("unreduced")
  const unreduced = {
    X25519: [`f0${"ff".repeat(30)}7f`, `ff${"ff".repeat(30)}7f`, `09${"00".repeat(30)}80`, "ff".repeat(32)],
    X448: ["ff".repeat(56), `04${"00".repeat(27)}${"ff".repeat(28)}`],
  } as const
  for (const name of ["X25519", "X448"] as const) {
    for (const point of unreduced[name]) {
      const privateKey = random(providers[0]!.groups[name]!.privateKeySize)
      unanimous(providers.map((p) => [p.name, hex(p.groups[name]!.diffieHellman(privateKey, bytes(point)))] as const))
      unanimous(providers.map((p) => [p.name, p.groups[name]!.isPublicKey(bytes(point))] as const))
    }
  }
})

test("scalars and secrets that begin with zeros keep their length", () => {
  const random = seeded("zeros")
  for (const name of nistNames) {
    const [fast] = providers
    const { privateKeySize, sharedSecretSize } = fast!.groups[name]!
    const mine = new Uint8Array(privateKeySize)
    mine.set(random(privateKeySize - 3), 3)
    let theirs = fast!.groups[name]!.publicKey(privateKeyOf(name, random))!
    // P-521 has seven unused bits, so that every other secret begins with a zero; of the others one in 256 does.
    while (fast!.groups[name]!.diffieHellman(mine, theirs)![0] !== 0) {
      theirs = fast!.groups[name]!.publicKey(privateKeyOf(name, random))!
    }
    for (const provider of providers) {
      const secret = provider.groups[name]!.diffieHellman(mine, theirs)!
      assert.equal(secret.length, sharedSecretSize)
      assert.equal(secret[0], 0)
      assert.deepEqual(secret, fast!.groups[name]!.diffieHellman(mine, theirs))
      assert.deepEqual(provider.groups[name]!.publicKey(mine), fast!.groups[name]!.publicKey(mine))
    }
  }
})

function privateKeyOf(name: KemGroupName, random: (length: number) => Uint8Array): Uint8Array {
  const privateKey = random(providers[0]!.groups[name]!.privateKeySize)
  if (name === "P-521") privateKey[0]! &= 0x01
  return privateKey
}

// RFC 7748 §7 sends to the list at cr.yp.to/ecdh.html#validate: orders 1, 2, 4 and 8, reduced or not.
const lowOrder = {
  X25519: [
    "00".repeat(32),
    `01${"00".repeat(31)}`,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    `ec${"ff".repeat(30)}7f`,
    `ed${"ff".repeat(30)}7f`,
    `ee${"ff".repeat(30)}7f`,
    `${"00".repeat(31)}80`,
    `01${"00".repeat(30)}80`,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
    `ec${"ff".repeat(31)}`,
    `ed${"ff".repeat(31)}`,
    `ee${"ff".repeat(31)}`,
  ],
  X448: [
    "00".repeat(56),
    `01${"00".repeat(55)}`,
    `fe${"ff".repeat(27)}fe${"ff".repeat(27)}`,
    `ff${"ff".repeat(27)}fe${"ff".repeat(27)}`,
    `${"00".repeat(28)}${"ff".repeat(28)}`,
  ],
}
