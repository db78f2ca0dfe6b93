import assert from "node:assert/strict"
import { test } from "node:test"
import { sealTo } from "@conclave/crypto"
import { aeads } from "./facts/symmetric.js"
import { aeadNames, bytes, empty, flipped, hex, providers, seeded, unanimous } from "./support.js"

for (const provider of providers) {
  test(`${provider.name}: AEADs seal and open what their specifications say`, () => {
    for (const fact of aeads) {
      const aead = provider.aeads[fact.name]!
      const [key, nonce, data] = [bytes(fact.key), bytes(fact.nonce), bytes(fact.authenticatedData)]
      assert.deepEqual([key.length, nonce.length], [aead.keySize, aead.nonceSize])
      assert.equal(hex(aead.seal(key, nonce, bytes(fact.plaintext), data)), fact.ciphertext)
      assert.equal(hex(aead.open(key, nonce, bytes(fact.ciphertext), data)), fact.plaintext)
    }
  })

  test(`${provider.name}: what is sealed into the caller's memory is what is sealed, and nothing beside it is written`, () => {
    const random = seeded("seal to")
    for (const name of aeadNames) {
      const aead = provider.aeads[name]!
      const [key, nonce, data] = [random(aead.keySize), random(12), random(5)]
      for (const length of [0, 1, 12, 48, 49, 64, 1000]) {
        const plaintext = random(length)
        const memory = new Uint8Array(length + 16 + 20).fill(7)
        sealTo(aead, { key, nonce }, plaintext, data, memory.subarray(10, length + 26))
        assert.deepEqual(memory.subarray(10, length + 26), aead.seal(key, nonce, plaintext, data))
        assert.deepEqual(memory.subarray(0, 10), new Uint8Array(10).fill(7))
        assert.deepEqual(memory.subarray(length + 26), new Uint8Array(10).fill(7))
      }
      assert.throws(() => sealTo(aead, { key, nonce: random(11) }, data, data, new Uint8Array(21)), RangeError)
      assert.throws(() => sealTo(aead, { key, nonce }, data, data, new Uint8Array(20)), RangeError)
      assert.throws(() => sealTo(aead, { key, nonce }, data, data, new Uint8Array(22)), RangeError)
    }
  })

  test(`${provider.name}: one bit turned over, anywhere, and nothing opens`, () => {
    const random = seeded("flip")
    for (const name of aeadNames) {
      const aead = provider.aeads[name]!
      const [key, nonce, data] = [random(aead.keySize), random(12), random(5)]
      const ciphertext = aead.seal(key, nonce, random(3), data)
      for (let bit = 0; bit < 8 * ciphertext.length; bit++) {
        assert.equal(aead.open(key, nonce, flipped(ciphertext, bit), data), undefined)
      }
      for (let bit = 0; bit < 40; bit++) {
        assert.equal(aead.open(key, nonce, ciphertext, flipped(data, bit)), undefined)
        assert.equal(aead.open(key, flipped(nonce, bit), ciphertext, data), undefined)
        assert.equal(aead.open(flipped(key, bit), nonce, ciphertext, data), undefined)
      }
    }
  })

  test(`${provider.name}: a tag cut short opens nothing, and throws nothing`, () => {
    const random = seeded("short")
    for (const name of aeadNames) {
      const aead = provider.aeads[name]!
      const [key, nonce] = [random(aead.keySize), random(12)]
      const ciphertext = aead.seal(key, nonce, empty, empty)
      assert.equal(ciphertext.length, aead.tagSize)
      assert.deepEqual(aead.open(key, nonce, ciphertext, empty), empty)
      for (let length = 0; length < ciphertext.length; length++) {
        assert.equal(aead.open(key, nonce, ciphertext.subarray(0, length), empty), undefined)
      }
    }
  })

  test(`${provider.name}: a key or a nonce of another size is refused as misuse`, () => {
    for (const name of aeadNames) {
      const aead = provider.aeads[name]!
      const ciphertext = new Uint8Array(20)
      for (const size of [0, aead.keySize - 1, aead.keySize + 1]) {
        assert.throws(() => aead.seal(new Uint8Array(size), new Uint8Array(12), empty, empty), RangeError)
        assert.throws(() => aead.open(new Uint8Array(size), new Uint8Array(12), ciphertext, empty), RangeError)
      }
      for (const size of [0, 8, 11, 13, 16]) {
        assert.throws(() => aead.seal(new Uint8Array(aead.keySize), new Uint8Array(size), empty, empty), RangeError)
        assert.throws(
          () => aead.open(new Uint8Array(aead.keySize), new Uint8Array(size), ciphertext, empty),
          RangeError,
        )
      }
    }
  })

  test(`${provider.name}: what is sealed or opened is a plain array in memory of its own`, () => {
    for (const name of aeadNames) {
      const aead = provider.aeads[name]!
      const [key, nonce] = [new Uint8Array(aead.keySize), new Uint8Array(12)]
      for (const length of [0, 1, 100]) {
        const sealed = aead.seal(key, nonce, new Uint8Array(length), empty)
        const opened = aead.open(key, nonce, sealed, empty)!
        for (const result of [sealed, opened]) {
          assert.equal(Object.getPrototypeOf(result), Uint8Array.prototype)
          assert.equal(result.buffer.byteLength, result.length)
        }
      }
    }
  })
}

test("providers agree on every length, and open what the others sealed", () => {
  const random = seeded("aead")
  for (const name of aeadNames) {
    for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 1024, 70000]) {
      // Slices of larger arrays: nobody may take the array's whole buffer for it.
      const surrounded = random(length + 9)
      const plaintext = surrounded.subarray(4, 4 + length)
      const [key, nonce, data] = [random(name === "AES-128-GCM" ? 16 : 32), random(12), random(length % 50)]
      const sealed = unanimous(
        providers.map((p) => [p.name, hex(p.aeads[name]!.seal(key, nonce, plaintext, data))] as const),
      )
      for (const provider of providers) {
        assert.equal(hex(provider.aeads[name]!.open(key, nonce, bytes(sealed!), data)), hex(plaintext))
      }
    }
  }
})
