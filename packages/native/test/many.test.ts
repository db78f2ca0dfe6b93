import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { test } from "node:test"
import type { NativeSpans } from "../src/index.js"
import { binding, filled, hex, library, skip } from "./support.js"

/*
 * What is asked of the library for many at once: digests and HMACs, signatures that other cores verify, HPKE to many. Each is the
 * same as for one.
 */

const names = { "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" } as const
const hashes = Object.keys(names) as (keyof typeof names)[]

function packed(texts: readonly Uint8Array[]): Uint8Array {
  const parts = texts.flatMap((text) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    return [length, text]
  })
  return new Uint8Array(Buffer.concat(parts))
}

test("HMACs of many texts are those of each, cut to their lengths", { skip }, () => {
  for (const name of hashes) {
    for (const count of [0, 1, 2, 9, 200]) {
      const texts = Array.from({ length: count }, (_, i) => filled(i, i))
      const lengths = texts.map((_, i) => (i % 3 === 0 ? 12 : i % 3 === 1 ? 32 : 64))
      const all = library().hmacAll(name, filled(32, 7), packed(texts), lengths)
      assert.deepEqual(
        all.map(hex),
        texts.map((text, i) => hex(library().hmac(name, filled(32, 7), [text]).slice(0, lengths[i]))),
      )
      for (const hmac of all) assert.equal(hmac.buffer.byteLength, hmac.length, "an array of its own")
    }
  }
  const one = packed([filled(5, 1)])
  for (const length of [1, 3, 4, 8]) {
    assert.throws(() => library().hmacAll("SHA-256", filled(32, 1), one.subarray(0, length), [32]), RangeError)
  }
  assert.throws(() => library().hmacAll("SHA-256", filled(32, 1), one, [32, 32]), RangeError)
  assert.throws(
    () => library().hmacAll("SHA-256", filled(32, 1), packed([filled(5, 1), filled(5, 1)]), [32]),
    RangeError,
  )
  assert.throws(() => binding().hmacAll(0, filled(32, 1), one, new Uint8Array(31)), RangeError)
})

test("digests are of pieces of either memory, and of digests before them", { skip }, () => {
  const [memory, beside] = [filled(100, 1), filled(70, 2)]
  for (const name of hashes) {
    const of = (...parts: readonly Uint8Array[]) => createHash(names[name]).update(Buffer.concat(parts)).digest()
    const { length: size } = of()
    const digestsAt = memory.length + beside.length
    const rows = [
      [2, 2, 10, 20, 100, 70],
      [0, 1, digestsAt + 2 * size, size],
      [1, 3, digestsAt, size, 0, 100, digestsAt + 2 * size, 5],
      [3, 0],
    ]
    const digests = library().digestAll(name, { memory, beside, rows: Uint32Array.from(rows.flat()) }, 4)
    const third = of(filled(20, 1), filled(70, 2))
    const first = of(third)
    const expected = [first, of(first, memory, third.subarray(0, 5)), third, of()]
    assert.deepEqual(hex(digests), hex(Buffer.concat(expected)))
  }
  const refused = (rows: readonly number[], count = 1) =>
    assert.throws(
      () => library().digestAll("SHA-256", { memory, beside, rows: Uint32Array.from(rows) }, count),
      RangeError,
      `${rows}`,
    )
  for (const row of [
    [0],
    [0, 1],
    [0, 1, 0],
    [1, 0],
    [0, 1, 99, 2],
    [0, 1, 169, 2],
    [0, 1, 170, 33],
    [0, 1, 0xffff_ffff, 1],
  ]) {
    refused(row)
  }
  refused([0, 3, 0, 100, 0, 100, 0, 100])
  refused([0, 0], 0)
})

/** Keys, signatures and messages in one memory, the second half of each message in another. */
function signed(count: number): NativeSpans {
  const key = library().importKey("Ed25519", filled(32, 5))
  const parts: Uint8Array[] = []
  const rows: number[] = []
  let at = 0
  const put = (bytes: Uint8Array) => {
    parts.push(bytes)
    at += bytes.length
    return [at - bytes.length, bytes.length] as const
  }
  const beside = new TextEncoder().encode("beside")
  const besideAt = count * (32 + 64 + 8)
  for (let i = 0; i < count; i++) {
    const message = filled(8, i)
    const signature = key.sign(Buffer.concat([message, beside]))
    rows.push(...put(key.publicKey), ...put(signature), 2, ...put(message), besideAt, beside.length)
  }
  key.destroy()
  return { memory: new Uint8Array(Buffer.concat(parts)), beside, rows: Uint32Array.from(rows) }
}

test("one signature that does not verify is found by whoever asks, wherever it stands", { skip }, () => {
  for (const threads of [0, 1, 2, 50]) {
    for (const count of [0, 1, 31, 200]) {
      assert.equal(library().beginVerifying("Ed25519", signed(count), threads).finish(), true)
    }
    for (const wrong of [0, 100, 199]) {
      const spans = signed(200)
      spans.memory[wrong * 104 + 100]! ^= 1
      assert.equal(library().beginVerifying("Ed25519", spans, threads).finish(), false, `${wrong} of ${threads}`)
    }
  }
})

test("what is being verified is a copy, and is asked for once", { skip }, () => {
  const before = library().held
  const spans = signed(3000)
  const verification = library().beginVerifying("Ed25519", spans)
  assert.equal(library().held, before + 1)
  spans.memory.fill(0)
  spans.beside.fill(0)
  spans.rows.fill(0)
  assert.equal(verification.finish(), true)
  assert.equal(library().held, before)
  assert.throws(() => verification.finish(), TypeError)
  verification.destroy()

  const left = library().beginVerifying("Ed25519", signed(3000))
  left.destroy()
  assert.equal(library().held, before)
  assert.throws(() => left.finish(), TypeError)
  const key = library().importKey("Ed25519", filled(32, 1))
  for (let number = 0; number < 100; number++) assert.throws(() => binding().verifyFinish(number), TypeError)
  key.destroy()
})

test("signatures whose pieces do not fit are refused", { skip }, () => {
  const { memory, beside, rows } = signed(1)
  for (let length = 1; length < rows.length; length++) {
    const short = rows.subarray(0, length)
    assert.throws(() => library().beginVerifying("Ed25519", { memory, beside, rows: short }), RangeError, `${length}`)
  }
  for (let at = 0; at < rows.length; at++) {
    const wrong = rows.slice()
    wrong[at] = 0xffff_ffff
    assert.throws(() => library().beginVerifying("Ed25519", { memory, beside, rows: wrong }), RangeError, `${at}`)
  }
})

test("HPKE to many takes what has a right size, and says when a key is none", { skip }, () => {
  const suite = { kem: "P-256", kemHash: "SHA-256", kdf: "SHA-256", aead: "AES-128-GCM" } as const
  const hpke = library().hpke({ ...suite, labels: Array.from({ length: 9 }, (_, i) => filled(i, i)) })
  const { publicKey, privateKey } = hpke.deriveKeyPair(filled(32, 3))
  const shared = { info: filled(300, 1), infoIsHash: false, authenticatedData: filled(3, 1) }
  const recipients = Array.from({ length: 50 }, (_, i) => ({
    publicKey,
    plaintext: filled(i, i),
    ephemeral: filled(32, i + 1),
  }))
  for (const threads of [0, 1, 2, 50]) {
    const sealed = hpke.sealAll({ ...shared, recipients }, threads)!
    for (const [i, { kemOutput, ciphertext }] of sealed.entries()) {
      const alone = hpke.seal({ ...shared, ...recipients[i]! })!
      assert.deepEqual([hex(kemOutput), hex(ciphertext)], [hex(alone.kemOutput), hex(alone.ciphertext)])
      const opened = hpke.open({ ...shared, privateKey, publicKey, kemOutput, ciphertext })
      assert.equal(hex(opened), hex(recipients[i]!.plaintext))
    }
    for (const wrong of [0, 25, 49]) {
      const some = recipients.map((it, i) => (i === wrong ? { ...it, publicKey: filled(65, 4) } : it))
      assert.equal(hpke.sealAll({ ...shared, recipients: some }, threads), undefined)
    }
  }
  assert.deepEqual(hpke.sealAll({ ...shared, recipients: [] }), [])
})
