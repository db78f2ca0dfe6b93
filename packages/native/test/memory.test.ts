import assert from "node:assert/strict"
import { createHash, createHmac } from "node:crypto"
import { test } from "node:test"
import { KeptMemory } from "../src/memory.js"
import { binding, filled, hex, library, skip } from "./support.js"

const sha256 = (...parts: readonly Uint8Array[]) => createHash("sha256").update(Buffer.concat(parts)).digest("hex")

/** The types of Node 20 have no resizable buffers. */
type Resizable = ArrayBuffer & { resize(length: number): void }
const resizable = (length: number, max: number) =>
  new (ArrayBuffer as unknown as new (length: number, options: object) => Resizable)(length, { maxByteLength: max })

function detached(length: number): Uint8Array {
  const array = filled(length, 1)
  structuredClone(array.buffer, { transfer: [array.buffer] })
  assert.equal(array.length, 0)
  return array
}

test("an output that overlaps another argument is refused, one that touches it is not", { skip }, () => {
  const memory = filled(200, 3)
  const { digest, hmac, seal, exchange } = binding()
  const refused = /overlaps/
  assert.throws(() => digest(0, memory.subarray(0, 100), memory.subarray(99, 131)), refused)
  assert.throws(() => digest(0, memory.subarray(31, 100), memory.subarray(0, 32)), refused)
  assert.throws(() => digest(0, memory, memory.subarray(50, 82)), refused)
  assert.throws(() => hmac(0, memory.subarray(0, 32), memory.subarray(32, 64), memory.subarray(31, 63)), refused)
  const [key, nonce] = [filled(16, 1), filled(12, 1)]
  assert.throws(
    () => seal(0, key, nonce, memory.subarray(0, 16), memory.subarray(20, 30), memory.subarray(0, 32)),
    refused,
  )
  assert.throws(
    () => exchange(0, filled(32, 1), filled(32, 9), memory.subarray(0, 32), memory.subarray(31, 63)),
    refused,
  )
  assert.deepEqual(memory, filled(200, 3), "a refused call writes nothing")

  digest(0, memory.subarray(0, 100), memory.subarray(100, 132))
  assert.equal(hex(memory.subarray(100, 132)), sha256(filled(100, 3)))
  digest(0, memory.subarray(140, 200), memory.subarray(108, 140))
  assert.equal(hex(memory.subarray(108, 140)), sha256(filled(60, 3)))
  // Inputs are read only: they may be the same.
  hmac(0, memory.subarray(140), memory.subarray(140), memory.subarray(0, 32))
  assert.equal(
    hex(memory.subarray(0, 32)),
    createHmac("sha256", memory.subarray(140)).update(memory.subarray(140)).digest("hex"),
  )
})

test("memory that threads share is refused by the library, and copied before it", { skip }, () => {
  for (const length of [32, 100]) {
    const shared = new Uint8Array(new SharedArrayBuffer(length)).fill(7)
    assert.throws(() => binding().digest(0, shared, new Uint8Array(32)), /threads share/)
    assert.throws(() => binding().random(shared), /threads share/)
    assert.equal(hex(library().digest("SHA-256", [shared])), sha256(filled(length, 7)))
  }
  const growable = new (SharedArrayBuffer as unknown as new (length: number, options: object) => SharedArrayBuffer)(
    100,
    { maxByteLength: 200 },
  )
  assert.throws(() => binding().digest(0, new Uint8Array(growable), new Uint8Array(32)), /threads share/)
})

test("an array whose buffer is detached is refused", { skip }, () => {
  for (const length of [16, 100]) {
    assert.throws(() => binding().digest(0, detached(length), new Uint8Array(32)), /detached/)
    assert.throws(() => binding().random(detached(length)), /detached/)
    assert.throws(() => library().digest("SHA-256", [detached(length)]), /detached/)
    assert.throws(() => library().hmac("SHA-256", detached(length), [filled(3, 1)]), /detached/)
    assert.throws(() => library().verifyAll("Ed25519", detached(length)), /detached/)
  }
  // An empty array is not one.
  assert.equal(hex(library().digest("SHA-256", [new Uint8Array(0)])), sha256())
})

test("a resizable buffer counts as long as it is at the call", { skip }, () => {
  const buffer = resizable(100, 200)
  const [tracking, fixed] = [new Uint8Array(buffer).fill(1), new Uint8Array(buffer, 50, 50)]
  assert.equal(hex(library().digest("SHA-256", [tracking])), sha256(filled(100, 1)))
  buffer.resize(150)
  assert.equal(hex(library().digest("SHA-256", [tracking])), sha256(filled(100, 1), filled(50, 0)))
  buffer.resize(70)
  assert.equal(hex(library().digest("SHA-256", [tracking])), sha256(filled(70, 1)))
  // Out of bounds now, and empty.
  assert.equal(fixed.length, 0)
  assert.equal(hex(library().digest("SHA-256", [fixed])), sha256())
  buffer.resize(40)
  assert.throws(() => binding().digest(0, filled(3, 1), new Uint8Array(buffer)), RangeError)
  buffer.resize(32)
  binding().digest(0, filled(3, 1), new Uint8Array(buffer))
  assert.equal(hex(new Uint8Array(buffer)), sha256(filled(3, 1)))
})

test("a view is read from where it begins, and written to no further than it goes", { skip }, () => {
  const memory = filled(300, 0xaa)
  binding().digest(0, memory.subarray(7, 17), memory.subarray(100, 132))
  assert.equal(hex(memory.subarray(100, 132)), sha256(filled(10, 0xaa)))
  assert.deepEqual(memory.subarray(0, 100), filled(100, 0xaa))
  assert.deepEqual(memory.subarray(132), filled(168, 0xaa))
  const pooled = Buffer.from("pooled")
  assert.equal(hex(library().digest("SHA-256", [pooled])), sha256(pooled))
})

test("what is not a Uint8Array is refused", { skip }, () => {
  const { digest } = binding()
  const others = [
    undefined,
    null,
    1,
    "text",
    [1, 2],
    {},
    new ArrayBuffer(3),
    new Uint16Array(3),
    new DataView(new ArrayBuffer(3)),
  ]
  for (const other of [...others, new Uint8ClampedArray(3), new Int8Array(3), new Proxy(new Uint8Array(3), {})]) {
    assert.throws(() => digest(0, other as Uint8Array, new Uint8Array(32)), TypeError)
    assert.throws(() => digest(0, new Uint8Array(3), other as Uint8Array), Error)
    if (other !== undefined && other !== null) {
      assert.throws(() => library().digest("SHA-256", [other as Uint8Array]), TypeError)
    }
  }
  assert.throws(() => (digest as () => void)(), TypeError)
  assert.throws(() => (digest as (hash: number) => void)(0), TypeError)
})

test("numbers that name nothing are refused", { skip }, () => {
  const { digest, sign, destroy } = binding()
  for (const number of [3, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => digest(number, new Uint8Array(3), new Uint8Array(32)), RangeError)
  }
  for (const number of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => destroy(number), RangeError)
  for (const number of [2 ** 40, 2 ** 53 - 1]) {
    assert.throws(() => sign(number, new Uint8Array(3), new Uint8Array(64)), TypeError)
    assert.equal(destroy(number), false)
  }
  assert.throws(() => digest("0" as unknown as number, new Uint8Array(3), new Uint8Array(32)), TypeError)
})

test("memory is kept for one call, and wiped after it", () => {
  const memory = new KeptMemory()
  const [short, long] = [filled(10, 1), filled(65, 2)]
  const kept = memory.input(short)
  assert.notEqual(kept.buffer, short.buffer)
  assert.deepEqual(kept, short)
  assert.equal(memory.input(long), long)
  const [small, large] = [memory.output(64), memory.output(65)]
  assert.equal(small.buffer, kept.buffer)
  assert.notEqual(large.buffer, kept.buffer)
  small.fill(9)
  const result = memory.result(small)
  assert.equal(result.buffer.byteLength, 64)
  assert.equal(memory.result(large), large)
  const joined = memory.joined([filled(60, 3), new Uint8Array(0), filled(200, 4)])
  assert.deepEqual(joined, new Uint8Array([...filled(60, 3), ...filled(200, 4)]))
  const apart = memory.joined([filled(8000, 5), filled(1000, 6)])
  assert.equal(apart.length, 9000)
  memory.wipe()
  for (const it of [kept, small, joined, apart]) assert.deepEqual(it, new Uint8Array(it.length))
  assert.deepEqual(result, filled(64, 9))
  assert.equal(memory.input(short).byteOffset, 0, "used again from the beginning")
})
