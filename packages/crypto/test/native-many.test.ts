import assert from "node:assert/strict"
import { test } from "node:test"
import { hpke } from "../src/index.js"
import { nodeProvider } from "../src/node/provider.js"
import { bytes, ecdsaNames, flipped, hashNames, hex, noNative, packedTexts, seeded, spans } from "./support.js"

/* What the native provider does for many at once is what another one does for each. */

const skip = noNative ?? false
const native = nodeProvider({ accelerate: "native" })
const other = nodeProvider({ accelerate: false })

const kdfOf = { X25519: "SHA-256", "P-256": "SHA-256", "P-384": "SHA-384", "P-521": "SHA-512" } as const
const kems = Object.keys(kdfOf) as (keyof typeof kdfOf)[]

test("HMACs and digests are those of node:crypto", { skip }, () => {
  const random = seeded("many")
  for (const name of hashNames) {
    const [mine, theirs] = [native.hashes[name]!, other.hashes[name]!]
    const key = random(mine.size)
    const texts = [0, 1, 40, 64, 300].map((length) => random(length))
    const all = mine.hmacAll!(key, packedTexts(texts), [mine.size, 16, 12, mine.size, 1])
    const lengths = [mine.size, 16, 12, mine.size, 1]
    assert.deepEqual(
      all.map(hex),
      texts.map((text, i) => hex(theirs.hmac(key, text).slice(0, lengths[i]))),
    )
    const [memory, beside] = [random(500), random(50)]
    const rows = Uint32Array.from([1, 2, 3, 400, 520, 30, 0, 1, 550 + mine.size, mine.size])
    const digests = mine.digestAll!({ memory, beside, rows }, 2)
    const second = theirs.digest(memory.subarray(3, 403), beside.subarray(20, 50))
    assert.equal(hex(digests), hex(theirs.digest(second))! + hex(second))
  }
})

test("key pairs that follow from material, and what is sealed to many, are the same in both", { skip }, () => {
  for (const kem of kems) {
    const suite = { kem, kdf: kdfOf[kem], aead: "AES-128-GCM" } as const
    const [mine, theirs] = [hpke(native, suite), hpke(other, suite)]
    assert(mine.sealsTogether && !theirs.sealsTogether)
    const random = seeded(kem)
    const pairs = Array.from({ length: 40 }, () => {
      const material = random(32)
      const [pair, same] = [mine.deriveKeyPair(material), theirs.deriveKeyPair(material)]
      assert.deepEqual([hex(pair.privateKey), hex(pair.publicKey)], [hex(same.privateKey), hex(same.publicKey)])
      return pair
    })
    const recipients = pairs.map(({ publicKey }, i) => ({
      publicKey,
      plaintext: random(i),
      ephemeral: random(mine.kem.ephemeralSize),
    }))
    for (const info of [random(1000), mine.prepareInfo(random(1000))]) {
      const shared = { info, authenticatedData: random(5) }
      const sealed = [mine, theirs].map((it) => it.sealAll(recipients, shared))
      const [a, b] = sealed.map((list) => list.map(({ kemOutput, ciphertext }) => [hex(kemOutput), hex(ciphertext)]))
      assert.deepEqual(a, b)
    }
    const shared = { info: random(10), authenticatedData: random(5) }
    for (const scheme of [mine, theirs]) {
      const wrongKey = replaced(recipients, 20, {
        ...recipients[20]!,
        publicKey: new Uint8Array(mine.kem.publicKeySize),
      })
      assert.throws(() => scheme.sealAll(wrongKey, shared), RangeError)
      const wrongSize = replaced(recipients, 20, { ...recipients[20]!, ephemeral: random(mine.kem.ephemeralSize - 1) })
      assert.throws(() => scheme.sealAll(wrongSize, shared), RangeError)
      assert.deepEqual(scheme.sealAll([], shared), [])
    }
  }
})

/** `Array.prototype.with` for the library of ES2022 types. */
function replaced<T>(list: readonly T[], at: number, item: T): T[] {
  const copy = [...list]
  copy[at] = item
  return copy
}

test("what verifies together is what verifies alone", { skip }, () => {
  for (const name of ["Ed25519", ...ecdsaNames] as const) {
    const scheme = native.signatures[name]!
    const random = seeded(name)
    const keys = Array.from({ length: 3 }, () => scheme.generate(random))
    const list = Array.from({ length: 60 }, (_, i) => {
      const key = keys[i % 3]!
      const message = random(i)
      return { publicKey: key.publicKey, message, signature: key.sign(message) }
    })
    assert.equal(scheme.beginVerifying!(spans(list)).finish(), true)
    for (const at of [0, 31, 59]) {
      const own = list[at]!
      const wrong = [
        { ...own, message: random(61) },
        { ...own, signature: flipped(own.signature, 40) },
        { ...own, signature: own.signature.slice(1) },
        { ...own, publicKey: flipped(own.publicKey, 40) },
        { ...own, publicKey: new Uint8Array(0) },
        { ...own, publicKey: new Uint8Array(scheme.publicKeySize) },
      ]
      for (const it of wrong) {
        assert.equal(scheme.verify(it.publicKey, it.message, it.signature), false)
        assert.equal(scheme.beginVerifying!(spans(replaced(list, at, it))).finish(), false)
      }
    }
    using left = scheme.beginVerifying!(spans(list))
    assert(left !== undefined)
  }
})

test("a key of small order verifies nothing together either, whatever a library says", { skip }, () => {
  const { beginVerifying, verify } = native.signatures.Ed25519!
  // The neutral element as key and as R, and S = 0: the equation holds for every message.
  const neutral = bytes(`01${"00".repeat(31)}`)
  const signature = bytes(`01${"00".repeat(63)}`)
  const one = { publicKey: neutral, message: bytes("00"), signature }
  assert.equal(verify(one.publicKey, one.message, one.signature), false)
  assert.equal(beginVerifying!(spans(Array(40).fill(one))).finish(), false)
})
