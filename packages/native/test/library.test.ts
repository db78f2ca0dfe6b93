import assert from "node:assert/strict"
import { createHash, createHmac } from "node:crypto"
import { test } from "node:test"
import { setTimeout } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Worker } from "node:worker_threads"
import { binaryFile, binding, filled, hex, library, skip } from "./support.js"

const algorithms = { "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512" } as const
const names = ["SHA-256", "SHA-384", "SHA-512"] as const
const schemes = ["Ed25519", "ECDSA-P-256-SHA-256", "ECDSA-P-384-SHA-384", "ECDSA-P-521-SHA-512"] as const

const scalar = (scheme: (typeof schemes)[number]) => {
  const sizes = { Ed25519: 32, "ECDSA-P-256-SHA-256": 32, "ECDSA-P-384-SHA-384": 48, "ECDSA-P-521-SHA-512": 66 }
  return filled(sizes[scheme], 5).fill(0, 0, 1)
}

function packed(list: readonly (readonly Uint8Array[])[]): Uint8Array {
  const parts = list.flat().flatMap((part) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(part.length)
    return [length, part]
  })
  return new Uint8Array(Buffer.concat(parts))
}

test("hashes and HMACs of every length are those of node:crypto", { skip }, () => {
  for (const name of names) {
    for (const length of [0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000, 8192, 8193, 100_000]) {
      const text = filled(length, length)
      const expected = createHash(algorithms[name]).update(text).digest("hex")
      assert.equal(hex(library().digest(name, [text])), expected)
      assert.equal(hex(library().digest(name, [text.subarray(0, length >> 1), text.subarray(length >> 1)])), expected)
      for (const key of [0, 32, 64, 65, 128, 129, 300].map((size) => filled(size, 8))) {
        assert.equal(
          hex(library().hmac(name, key, [text.subarray(0, length >> 2), text.subarray(length >> 2)])),
          createHmac(algorithms[name], key).update(text).digest("hex"),
        )
      }
    }
  }
})

test("a destroyed key is gone, and its number finds nothing", { skip }, () => {
  for (const scheme of schemes) {
    const before = library().held
    const key = library().importKey(scheme, scalar(scheme))
    assert.equal(library().held, before + 1)
    assert.equal(library().verify(scheme, key.publicKey, filled(3, 1), key.sign(filled(3, 1))), true)
    key.destroy()
    key.destroy()
    assert.equal(library().held, before)
    assert.throws(() => key.sign(filled(3, 1)), TypeError)
    const another = library().importKey(scheme, scalar(scheme))
    assert.throws(() => key.sign(filled(3, 1)), TypeError, "the number is not given twice")
    another.destroy()
  }
})

test("what is no private key is refused, and holds nothing", { skip }, () => {
  const before = library().held
  for (const scheme of schemes) {
    assert.throws(() => library().importKey(scheme, filled(31, 1)), RangeError)
    if (scheme !== "Ed25519") {
      assert.throws(() => library().importKey(scheme, new Uint8Array(scalar(scheme).length)), RangeError)
      assert.throws(() => library().importKey(scheme, filled(scalar(scheme).length, 0xff)), RangeError)
    }
  }
  assert.throws(() => binding().importKey(0, filled(32, 1), new Uint8Array(31)), Error)
  assert.equal(library().held, before)
})

test("keys that nobody refers to are destroyed", { skip }, async () => {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  const before = library().held
  for (let i = 0; i < 100; i++) library().importKey("Ed25519", filled(32, i))
  assert.equal(library().held, before + 100)
  for (let round = 0; round < 500 && library().held > before; round++) {
    collect()
    await setTimeout(10)
  }
  assert.equal(library().held, before)
})

test("a signature that does not verify is found, by all cores and off the event loop", { skip }, async () => {
  for (const scheme of schemes) {
    const key = library().importKey(scheme, scalar(scheme))
    const signatures = Array.from({ length: 200 }, (_, i) => {
      const message = filled(i, i)
      return [key.publicKey, message, key.sign(message)] as const
    })
    const all = packed(signatures)
    for (const threads of [0, 1, 2, 50]) {
      assert.equal(library().verifyAll(scheme, all, threads), true)
      assert.equal(await library().verifyLater(scheme, all, threads), true)
    }
    for (const at of [0, 100, 199]) {
      const wrong = signatures.map((it, i) => (i === at ? ([it[0], filled(3, 9), it[2]] as const) : it))
      assert.equal(library().verifyAll(scheme, packed(wrong)), false)
      assert.equal(await library().verifyLater(scheme, packed(wrong)), false)
    }
    key.destroy()
  }
  assert.equal(library().verifyAll("Ed25519", new Uint8Array(0)), true)
  assert.equal(await library().verifyLater("Ed25519", new Uint8Array(0)), true)
})

test("what is verified later is a copy: the caller's memory is its own again", { skip }, async () => {
  const key = library().importKey("Ed25519", filled(32, 1))
  const all = packed(Array.from({ length: 2000 }, () => [key.publicKey, filled(9, 1), key.sign(filled(9, 1))]))
  const overwritten = library().verifyLater("Ed25519", all)
  const second = new Uint8Array(all)
  all.fill(0xff)
  assert.equal(await overwritten, true)
  const moved = library().verifyLater("Ed25519", second)
  structuredClone(second.buffer, { transfer: [second.buffer] })
  assert.equal(await moved, true)
})

test("packed signatures that end too early are refused", { skip }, async () => {
  const whole = packed([[filled(32, 1), filled(5, 1), filled(64, 1)]])
  for (const length of [1, 4, 35, 36, 41, 44, whole.length - 1]) {
    assert.throws(() => library().verifyAll("Ed25519", whole.subarray(0, length)), RangeError)
    await assert.rejects(library().verifyLater("Ed25519", whole.subarray(0, length)), RangeError)
  }
  assert.throws(() => library().verifyAll("Ed25519", filled(100, 0xff)), RangeError)
})

test("random bytes are new arrays, never twice the same, and gone from where they were drawn", { skip }, () => {
  const drawn = new Set(Array.from({ length: 2000 }, () => hex(library().random(16))))
  assert.equal(drawn.size, 2000)
  for (const length of [0, 1, 255, 256, 257, 4096, 5000, 100_000]) {
    const bytes = library().random(length)
    assert.equal(bytes.buffer.byteLength, length)
    const zeros = bytes.filter((byte) => byte === 0).length
    if (length > 1000) assert(zeros > length / 1000 && zeros < length / 64, `${zeros} of ${length}`)
  }
  assert.throws(() => library().random(-1), RangeError)
})

test("an HPKE suite has as many labels as there are steps", { skip }, () => {
  const suite = { kem: "X25519", kemHash: "SHA-256", kdf: "SHA-256", aead: "AES-128-GCM" } as const
  const labels = Array.from({ length: 9 }, (_, i) => filled(i, i))
  library().hpke({ ...suite, labels })
  for (const wrong of [labels.slice(1), [...labels, filled(1, 1)], []]) {
    assert.throws(() => library().hpke({ ...suite, labels: wrong }), RangeError)
  }
  const key = library().importKey("Ed25519", filled(32, 1))
  const numbers = Array.from({ length: 2000 }, (_, i) => i)
  // A key's number is no suite's, nor the other way round.
  for (const number of numbers) {
    const seal = () =>
      binding().hpkeSeal(
        number,
        0,
        filled(32, 9),
        filled(1, 1),
        filled(1, 1),
        filled(1, 1),
        filled(32, 1),
        new Uint8Array(32),
        new Uint8Array(17),
      )
    const sign = () => binding().sign(number, filled(1, 1), new Uint8Array(64))
    const outcomes = [seal, sign].map((run) => {
      try {
        run()
        return true
      } catch (error) {
        assert(error instanceof TypeError)
        return false
      }
    })
    assert(!(outcomes[0] && outcomes[1]))
  }
  key.destroy()
})

test("ML-KEM-768: both sides have one secret, and what does not fit is refused", { skip }, () => {
  const { keyPair, encapsulate, decapsulate } = library().mlKem768
  const { publicKey, privateKey } = keyPair(filled(64, 1))
  const { ciphertext, sharedSecret } = encapsulate(publicKey, filled(32, 2))!
  assert.deepEqual(decapsulate(privateKey, ciphertext), sharedSecret)
  assert.deepEqual(encapsulate(publicKey, filled(32, 2))!.ciphertext, ciphertext)
  ciphertext[5]! ^= 1
  assert.notDeepEqual(decapsulate(privateKey, ciphertext), sharedSecret)
  assert.equal(encapsulate(filled(1184, 0xff), filled(32, 2)), undefined)
  assert.throws(() => keyPair(filled(63, 1)), RangeError)
  assert.throws(() => encapsulate(publicKey.subarray(1), filled(32, 2)), RangeError)
  assert.throws(() => decapsulate(privateKey, ciphertext.subarray(1)), RangeError)
})

test("each thread has keys of its own, and one that ends takes them along", { skip }, async () => {
  const before = library().held
  const program = `
    const { parentPort, workerData } = require("node:worker_threads")
    const binding = require(workerData)
    for (let i = 0; i < 50; i++) binding.importKey(0, new Uint8Array(32).fill(i), new Uint8Array(32))
    const packed = new Uint8Array(0)
    parentPort.postMessage(binding.held())
    // Ended in the middle of work.
    const one = new Uint8Array(108)
    new DataView(one.buffer).setUint32(0, 32); new DataView(one.buffer).setUint32(36, 0)
    new DataView(one.buffer).setUint32(40, 64)
    const many = new Uint8Array(108 * 5000)
    for (let i = 0; i < 5000; i++) many.set(one, 108 * i)
    setInterval(() => binding.verifyLater(1, 2, many), 1)
  `
  const workers = Array.from({ length: 3 }, () => new Worker(program, { eval: true, workerData: binaryFile() }))
  const held = workers.map(
    (worker) => new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject)),
  )
  assert.deepEqual(await Promise.all(held), [50, 50, 50])
  await setTimeout(20)
  await Promise.all(workers.map((worker) => worker.terminate()))
  assert.equal(library().held, before)
})
