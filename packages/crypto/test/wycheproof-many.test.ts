import assert from "node:assert/strict"
import { test } from "node:test"
import { hpke } from "../src/index.js"
import { nodeProvider } from "../src/node/provider.js"
import type { SignatureName } from "../src/provider.js"
import { bytes, hex, noNative, packedTexts, seeded, spans } from "./support.js"
import { type Case, casesOf, noVectors } from "./wycheproof.js"

/* What Wycheproof says of one call holds for the call of many: each case stands among others that are right. */

const reason = noVectors ?? noNative
const options = reason === undefined ? {} : { skip: reason }
const native = nodeProvider({ accelerate: "native" })
const other = nodeProvider({ accelerate: false })

const macs = [
  ["hmac_sha256", "SHA-256", 174],
  ["hmac_sha384", "SHA-384", 174],
  ["hmac_sha512", "SHA-512", 174],
] as const

for (const [file, name, count] of macs) {
  test(`${file}: HMACs under one key in one call are right about all ${count} cases`, options, () => {
    const { hmacAll, size } = native.hashes[name]!
    const cases = casesOf(file)
    for (const { test: it, group } of cases) {
      const text = field(it, "msg")
      const length = group.tagSize! / 8
      const all = hmacAll!(field(it, "key"), packedTexts([bytes("00"), text, text, bytes("")]), [size, length, size, 1])
      const isRight = hex(all[1]) === hex(field(it, "tag"))
      assert.equal(isRight, it.result === "valid", `${it.tcId} (${it.comment})`)
      assert.equal(hex(all[2]!.slice(0, length)), hex(all[1]))
    }
    assert.equal(cases.length, count)
  })
}

const signatures = [
  ["ed25519", "Ed25519", 151],
  ["ecdsa_secp256r1_sha256", "ECDSA-P-256-SHA-256", 484],
  ["ecdsa_secp384r1_sha384", "ECDSA-P-384-SHA-384", 504],
  ["ecdsa_secp521r1_sha512", "ECDSA-P-521-SHA-512", 542],
] as const

for (const [file, name, count] of signatures) {
  test(`${file}: signatures that are verified together are right about all ${count} cases`, options, () => {
    const { beginVerifying, verifyAll } = native.signatures[name]!
    const own = ownSignature(name)
    const cases = casesOf(file)
    const valid = []
    for (const { test: it, group } of cases) {
      const publicKey = bytes(group.publicKey!.pk ?? group.publicKey!.uncompressed!)
      const asked = { publicKey, message: field(it, "msg"), signature: field(it, "sig") }
      const among = [own, asked, own]
      const isValid = it.result === "valid"
      assert.equal(beginVerifying!(spans(among)).finish(), isValid, `${it.tcId} (${it.comment})`)
      assert.equal(verifyAll!(among), isValid, `${it.tcId} (${it.comment}), while one waits`)
      if (isValid) valid.push(asked)
    }
    // On every core: so many are worth it.
    assert(valid.length > 32)
    assert.equal(beginVerifying!(spans(valid)).finish(), true)
    assert.equal(verifyAll!(valid), true)
    assert.equal(cases.length, count)
  })
}

function ownSignature(name: SignatureName) {
  const key = native.signatures[name]!.generate(seeded(name))
  const message = bytes("0102")
  return { publicKey: key.publicKey, message, signature: key.sign(message) }
}

const kems = [
  ["x25519", "X25519", "SHA-256", 518],
  ["ecdh_secp256r1_ecpoint", "P-256", "SHA-256", 355],
  ["ecdh_secp384r1_ecpoint", "P-384", "SHA-384", 790],
] as const

for (const [file, kem, kdf, count] of kems) {
  test(`${file}: what is sealed to many takes and refuses the public keys of all ${count} cases`, options, () => {
    const suite = { kem, kdf, aead: "AES-128-GCM" } as const
    const [mine, theirs] = [hpke(native, suite), hpke(other, suite)]
    const random = seeded(file)
    const shared = { info: random(20), authenticatedData: random(5) }
    const own = mine.deriveKeyPair(random(32)).publicKey
    const answers = new Set<boolean>()
    const cases = casesOf(file)
    for (const { test: it } of cases) {
      const recipients = [own, field(it, "public"), own].map((publicKey) => {
        return { publicKey, plaintext: random(32), ephemeral: random(mine.kem.ephemeralSize) }
      })
      const sealed = tried(() => mine.sealAll(recipients, shared))
      const isTaken = sealed !== undefined
      assert.equal(isTaken, theirs.isPublicKey(recipients[1]!.publicKey), `${it.tcId} (${it.comment})`)
      if (it.result === "valid") assert(isTaken, `${it.tcId} (${it.comment})`)
      answers.add(isTaken)
      if (sealed === undefined) continue
      const { publicKey, ...message } = recipients[1]!
      const expected = theirs.seal(publicKey, { ...message, ...shared })
      const texts = [sealed[1]!, expected].map(({ kemOutput, ciphertext }) => hex(kemOutput)! + hex(ciphertext))
      assert.equal(texts[0], texts[1], `${it.tcId} (${it.comment})`)
    }
    assert.deepEqual(answers, new Set([true, false]))
    assert.equal(cases.length, count)
  })
}

/** `undefined` where it refuses a key. */
function tried<T>(seal: () => T): T | undefined {
  try {
    return seal()
  } catch (error) {
    assert(error instanceof RangeError)
    return undefined
  }
}

const field = (test: Case, name: string): Uint8Array => bytes(test[name] as string)
