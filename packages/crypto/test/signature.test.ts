import assert from "node:assert/strict"
import { test } from "node:test"
import { p256, p384, p521 } from "@noble/curves/nist.js"
import { derSignature, scalarsOf } from "./der.js"
import { signedByOthers } from "./facts/mls.js"
import { rfc8032 } from "./facts/rfc8032.js"
import { bytes, ecdsaNames, empty, flipped, hex, providers, seeded, signatureNames, unanimous } from "./support.js"

const curves = { "ECDSA-P-256-SHA-256": p256, "ECDSA-P-384-SHA-384": p384, "ECDSA-P-521-SHA-512": p521 }

for (const provider of providers) {
  test(`${provider.name}: EdDSA keys and signatures are those of RFC 8032`, () => {
    for (const fact of rfc8032) {
      const scheme = provider.signatures[fact.scheme]!
      const key = scheme.importKey(bytes(fact.privateKey))
      assert.equal(hex(key.publicKey), fact.publicKey)
      assert.equal(hex(key.sign(bytes(fact.message))), fact.signature)
      assert.equal(scheme.verify(bytes(fact.publicKey), bytes(fact.message), bytes(fact.signature)), true)
    }
  })

  test(`${provider.name}: signatures that another implementation made verify`, () => {
    for (const fact of signedByOthers) {
      const scheme = provider.signatures[fact.scheme]!
      assert.equal(hex(scheme.importKey(bytes(fact.privateKey)).publicKey), fact.publicKey)
      assert.equal(scheme.isPublicKey(bytes(fact.publicKey)), true)
      assert.equal(scheme.verify(bytes(fact.publicKey), bytes(fact.message), bytes(fact.signature)), true)
      assert.equal(scheme.verify(bytes(fact.publicKey), bytes(`${fact.message}00`), bytes(fact.signature)), false)
    }
  })

  test(`${provider.name}: one bit turned over in key, message or signature, and nothing verifies`, () => {
    const random = seeded("bits")
    for (const name of signatureNames) {
      const scheme = provider.signatures[name]!
      const key = scheme.generate(random)
      const message = random(20)
      const signature = key.sign(message)
      assert.equal(scheme.verify(key.publicKey, message, signature), true)
      for (let round = 0; round < 12; round++) {
        const [bit] = new Uint16Array(random(2).buffer)
        const of = (target: Uint8Array) => flipped(target, bit! % (8 * target.length))
        assert.equal(scheme.verify(key.publicKey, message, of(signature)), false)
        assert.equal(scheme.verify(key.publicKey, of(message), signature), false)
        assert.equal(scheme.verify(of(key.publicKey), message, signature), false)
      }
    }
  })

  test(`${provider.name}: keys and signatures of any other length are false, never an error`, () => {
    for (const name of signatureNames) {
      const scheme = provider.signatures[name]!
      const key = scheme.generate(seeded("lengths"))
      const signature = key.sign(empty)
      for (const size of [0, 1, 31, 32, 56, 57, 63, 64, 65, 66, 97, 113, 114, 115, 133, 200]) {
        const other = new Uint8Array(size).fill(4)
        assert.equal(scheme.verify(key.publicKey, empty, other), false)
        assert.equal(scheme.verify(other, empty, signature), false)
        assert.equal(scheme.isPublicKey(other), false)
      }
      for (let length = 0; length < signature.length; length++) {
        assert.equal(scheme.verify(key.publicKey, empty, signature.subarray(0, length)), false)
      }
      assert.equal(scheme.verify(key.publicKey, empty, new Uint8Array([...signature, 0])), false)
    }
  })

  test(`${provider.name}: what is no private key is refused as misuse`, () => {
    for (const name of signatureNames) {
      const scheme = provider.signatures[name]!
      for (const size of [0, scheme.privateKeySize - 1, scheme.privateKeySize + 1]) {
        assert.throws(() => scheme.importKey(new Uint8Array(size).fill(1)), RangeError)
      }
    }
    for (const name of ecdsaNames) {
      const scheme = provider.signatures[name]!
      assert.throws(() => scheme.importKey(new Uint8Array(scheme.privateKeySize)), RangeError)
      const order = curves[name].Point.Fn.ORDER.toString(16).padStart(2 * scheme.privateKeySize, "0")
      assert.throws(() => scheme.importKey(bytes(order)), RangeError)
    }
  })

  test(`${provider.name}: a key is drawn again until its scalar is in range, and the draw is the key`, () => {
    for (const name of ecdsaNames) {
      const scheme = provider.signatures[name]!
      const random = seeded("draw")
      let draws = 0
      const key = scheme.generate((length) => {
        draws++
        if (draws === 1) return new Uint8Array(length)
        return draws === 2 ? new Uint8Array(length).fill(0xff) : random(length)
      })
      assert.equal(draws, 3)
      const drawn = seeded("draw")(scheme.privateKeySize)
      if (name === "ECDSA-P-521-SHA-512") drawn[0]! &= 0x01
      assert.deepEqual(key.exportPrivateKey(), drawn)
      assert.throws(() => scheme.generate((length) => new Uint8Array(length)), RangeError)
    }
  })

  test(`${provider.name}: a drawn key's bytes are wiped where they were drawn`, () => {
    for (const name of signatureNames) {
      const drawn: Uint8Array[] = []
      const random = seeded("drawn")
      const key = provider.signatures[name]!.generate((length) => {
        drawn.push(random(length))
        return drawn.at(-1)!
      })
      assert.ok(drawn.every((draw) => draw.every((byte) => byte === 0)))
      assert.ok(key.exportPrivateKey().some((byte) => byte !== 0))
    }
  })

  test(`${provider.name}: an imported key is a copy, and so is an exported one`, () => {
    for (const name of signatureNames) {
      const scheme = provider.signatures[name]!
      const privateKey = scheme.generate(seeded("copy")).exportPrivateKey()
      const key = scheme.importKey(privateKey)
      privateKey.fill(0)
      key.exportPrivateKey().fill(0)
      assert.equal(scheme.verify(key.publicKey, empty, key.sign(empty)), true)
      assert.deepEqual(scheme.importKey(key.exportPrivateKey()).publicKey, key.publicKey)
    }
  })

  test(`${provider.name}: a disposed key neither signs nor exports`, () => {
    for (const name of signatureNames) {
      const key = provider.signatures[name]!.generate(seeded("dispose"))
      const exported = key.exportPrivateKey()
      key[Symbol.dispose]()
      key[Symbol.dispose]()
      assert.throws(() => key.sign(empty), TypeError)
      assert.throws(() => key.exportPrivateKey(), TypeError)
      assert.ok(exported.some((byte) => byte !== 0))
    }
  })

  test(`${provider.name}: a public key array that is written to is another key from then on`, () => {
    for (const name of signatureNames) {
      const scheme = provider.signatures[name]!
      const random = seeded("written")
      const [first, second] = [scheme.generate(random), scheme.generate(random)]
      const array = new Uint8Array(first.publicKey)
      assert.equal(scheme.verify(array, empty, first.sign(empty)), true)
      array.set(second.publicKey)
      assert.equal(scheme.verify(array, empty, first.sign(empty)), false)
      assert.equal(scheme.verify(array, empty, second.sign(empty)), true)
    }
  })

  test(`${provider.name}: signatures and keys are plain arrays in memory of their own`, () => {
    for (const name of signatureNames) {
      const key = provider.signatures[name]!.generate(seeded("plain"))
      for (const result of [key.publicKey, key.sign(empty), key.exportPrivateKey()]) {
        assert.equal(Object.getPrototypeOf(result), Uint8Array.prototype)
        assert.equal(result.buffer.byteLength, result.length)
      }
    }
  })
}

test("what one provider signs, every provider verifies, for short and long messages", () => {
  const random = seeded("signatures")
  for (const name of signatureNames) {
    for (const message of [empty, random(100), random(70000)]) {
      const privateKey = providers[0]!.signatures[name]!.generate(random).exportPrivateKey()
      const keys = providers.map((p) => [p.name, p.signatures[name]!.importKey(privateKey)] as const)
      unanimous(keys.map(([name, key]) => [name, hex(key.publicKey)] as const))
      const signatures = keys.map(([name, key]) => [name, hex(key.sign(message))] as const)
      // RFC 8032 signs without randomness.
      if (name === "Ed25519" || name === "Ed448") unanimous(signatures)
      for (const verifier of providers) {
        for (const [signer, signature] of signatures) {
          const verified = verifier.signatures[name]!.verify(keys[0]![1].publicKey, message, bytes(signature!))
          assert.equal(verified, true, `${verifier.name} verifies ${name} of ${signer}`)
        }
      }
    }
  }
})

test("an ECDSA signature is strict DER in every provider, whatever its library would take", () => {
  for (const name of ecdsaNames) {
    const key = providers[0]!.signatures[name]!.generate(seeded("der"))
    const message = bytes("616263")
    const { r, s } = scalarsOf(key.sign(message))
    const order = curves[name].Point.Fn.ORDER
    const size = providers[0]!.signatures[name]!.privateKeySize
    const verdict = (signature: Uint8Array) =>
      unanimous(providers.map((p) => [p.name, p.signatures[name]!.verify(key.publicKey, message, signature)] as const))

    assert.equal(verdict(derSignature(r, s)), true)
    assert.equal(verdict(derSignature(r, order - s)), true, "the other half of s")

    const odd: Record<string, Uint8Array> = {
      "r with a zero too many": derSignature(r, s, { zerosBeforeR: 1 }),
      "s with a zero too many": derSignature(r, s, { zerosBeforeS: 1 }),
      "r with a hundred zeros too many": derSignature(r, s, { zerosBeforeR: 100 }),
      "a length in long form that needs none": derSignature(r, s, { lengthOfR: "long" }),
      "a length in four octets": derSignature(r, s, { lengthOfR: "longest" }),
      "a sequence of indefinite length": derSignature(r, s, { sequence: "indefinite" }),
      "a byte behind the sequence": new Uint8Array([...derSignature(r, s), 0]),
      "a byte at the end of the sequence": derSignature(r, s, { behindS: [0] }),
      "a third integer": derSignature(r, s, { behindS: [2, 1, 1] }),
      "an octet string for r": derSignature(r, s, { tagOfR: 4 }),
      "a set for the sequence": derSignature(r, s, { tag: 0x31 }),
      "r = 0": derSignature(0n, s),
      "s = 0": derSignature(r, 0n),
      "r = the order": derSignature(order, s),
      "s = the order": derSignature(r, order),
      "r beyond the order": derSignature(r + order, s),
      "s beyond the order": derSignature(r, s + order),
      "-r": derSignature(-r, s),
      "-s": derSignature(r, -s),
      "no integers": bytes("3000"),
      "empty integers": bytes("300402000200"),
      "r alone": derSignature(r, s).slice(0, 2 + 2 + size),
      "the raw scalars": bytes([r, s].map((value) => value.toString(16).padStart(2 * size, "0")).join("")),
    }
    for (const [oddity, signature] of Object.entries(odd)) assert.equal(verdict(signature), false, oddity)
  }
})
