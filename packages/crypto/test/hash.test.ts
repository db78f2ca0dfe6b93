import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, hkdfExpand, hkdfExtract } from "../src/index.js"
import { digestsOfAbc, hkdfs, hmacs } from "./facts/symmetric.js"
import { bytes, empty, hashNames, hex, providers, seeded, unanimous } from "./support.js"

for (const provider of providers) {
  test(`${provider.name}: digests are those of FIPS 180-4`, () => {
    for (const name of hashNames) {
      const hash = provider.hashes[name]!
      const [a, b, c] = [bytes("61"), bytes("62"), bytes("63")]
      assert.equal(hex(hash.digest(a, b, empty, c)), digestsOfAbc[name])
      assert.equal(hex(hash.digest(bytes("616263"))), digestsOfAbc[name])
      assert.equal(hash.size, hash.digest().length)
    }
  })

  test(`${provider.name}: HMACs are those of RFC 4231`, () => {
    for (const fact of hmacs) {
      for (const name of hashNames) {
        assert.equal(hex(provider.hashes[name]!.hmac(bytes(fact.key), bytes(fact.text))), fact[name])
      }
    }
  })

  test(`${provider.name}: HKDF is that of RFC 5869`, () => {
    const hash = provider.hashes["SHA-256"]!
    for (const fact of hkdfs) {
      const pseudorandomKey = hkdfExtract(hash, bytes(fact.salt), bytes(fact.inputKeyMaterial))
      assert.equal(hex(pseudorandomKey), fact.pseudorandomKey)
      const output = hkdfExpand(hash, pseudorandomKey, bytes(fact.info), fact.output.length / 2)
      assert.equal(hex(output), fact.output)
    }
  })

  test(`${provider.name}: digests and HMACs are plain arrays in memory of their own`, () => {
    for (const name of hashNames) {
      const hash = provider.hashes[name]!
      for (const result of [hash.digest(empty), hash.digest(), hash.hmac(empty), hash.hmac(bytes("00"), bytes("01"))]) {
        assert.equal(Object.getPrototypeOf(result), Uint8Array.prototype)
        assert.equal(result.buffer.byteLength, hash.size)
      }
    }
  })

  test(`${provider.name}: a key or a message is read, never written to`, () => {
    const random = seeded("untouched")
    for (const name of hashNames) {
      for (const length of [7, 5000]) {
        const [key, message] = [random(length), random(length)]
        const before = [hex(key), hex(message)]
        provider.hashes[name]!.hmac(key, message, key)
        provider.hashes[name]!.digest(message, key)
        assert.deepEqual([hex(key), hex(message)], before)
      }
    }
  })
}

test("providers agree on every length around a block, and on how a message is split", () => {
  const random = seeded("hash")
  for (const name of hashNames) {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000, 4031, 4096, 4097, 70000]) {
      const message = random(length)
      const key = random(length % 300)
      const middle = length >> 1
      const parts = [message.subarray(0, middle), message.subarray(middle)]
      unanimous(providers.map((p) => [p.name, hex(p.hashes[name]!.digest(message))] as const))
      const whole = unanimous(providers.map((p) => [p.name, hex(p.hashes[name]!.hmac(key, message))] as const))
      for (const provider of providers) {
        assert.equal(hex(provider.hashes[name]!.hmac(key, ...parts)), whole)
        assert.deepEqual(provider.hashes[name]!.digest(...parts), provider.hashes[name]!.digest(concat(...parts)))
      }
    }
  }
})

test("HKDF gives up to 255 digests, each length a beginning of the next, and refuses more", () => {
  for (const provider of providers) {
    const hash = provider.hashes["SHA-384"]!
    const key = hash.digest(empty)
    const longest = hkdfExpand(hash, key, empty, 255 * 48)
    for (const length of [0, 1, 47, 48, 49, 96, 255 * 48 - 1]) {
      assert.deepEqual(hkdfExpand(hash, key, empty, length), longest.slice(0, length))
    }
    for (const length of [255 * 48 + 1, -1, 1.5, Number.NaN]) {
      assert.throws(() => hkdfExpand(hash, key, empty, length), RangeError)
    }
  }
})
