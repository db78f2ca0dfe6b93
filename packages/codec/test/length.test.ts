import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, decode, encode, opaque, Reader, uint16, varintSize, vector, Writer } from "@conclave/codec"

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const fromHex = (digits: string) => new Uint8Array(Buffer.from(digits, "hex"))

const boundaries: readonly (readonly [length: number, encoded: string])[] = [
  [0, "00"],
  [63, "3f"],
  [64, "4040"],
  [16383, "7fff"],
  [16384, "80004000"],
  [2 ** 30 - 1, "bfffffff"],
]

for (const [length, encoded] of boundaries) {
  test(`a length of ${length} is written as ${encoded}, and read from it`, () => {
    const writer = new Writer()
    writer.varint(length)
    assert.equal(hex(writer.finish()), encoded)
    assert.equal(varintSize(length), encoded.length / 2)
    const reader = new Reader(fromHex(encoded))
    assert.equal(reader.varint(), length)
    assert.equal(reader.remaining, 0)
  })
}

test("a length of 2³⁰ or more has no encoding", () => {
  assert.throws(() => varintSize(2 ** 30), RangeError)
  assert.throws(() => new Writer().varint(2 ** 30), RangeError)
})

for (const longer of ["4000", "403f", "80000000", "8000003f", "80003fff"]) {
  test(`a length that is longer than its shortest encoding is refused: ${longer}`, () => {
    assert.throws(() => new Reader(fromHex(longer)).varint(), { name: "DecodeError", reason: /not minimally encoded/ })
  })
}

for (const prefixed of ["c0", "ff", "c000000000000040"]) {
  test(`the length prefix that is not in use is refused: ${prefixed}`, () => {
    assert.throws(() => new Reader(fromHex(prefixed)).varint(), { name: "DecodeError", reason: /prefix/ })
  })
}

for (const size of [0, 1, 62, 63, 64, 65, 255, 256, 257, 16382, 16383, 16384, 16385, 70000]) {
  test(`${size} bytes survive, as bytes and as the items of a vector`, () => {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) & 0xff)
    assert.deepEqual(decode(opaque, encode(opaque, bytes)), bytes)
    const items = Array.from({ length: size }, (_, i) => (i * 257) & 0xffff)
    assert.deepEqual(decode(vector(uint16), encode(vector(uint16), items)), items)
    const nested = [bytes, bytes.subarray(size >> 1)]
    assert.deepEqual(decode(vector(opaque), encode(vector(opaque), nested)), nested)
  })
}

test("a length that promises more bytes than there are is refused before anything is set aside for them", () => {
  const before = process.memoryUsage().arrayBuffers
  assert.throws(() => decode(opaque, fromHex("bfffffff00")), { name: "DecodeError", reason: /need 1073741823 bytes/ })
  assert.throws(() => decode(vector(uint16), fromHex("bfffffff00")), DecodeError)
  assert(process.memoryUsage().arrayBuffers - before < 1_000_000)
})

test("an item must end with its vector: one that is cut in two is refused", () => {
  assert.throws(() => decode(vector(uint16), fromHex("03000100")), { name: "DecodeError", offset: 3 })
})

test("an item cannot reach beyond its vector, whatever follows it", () => {
  // The inner length of 2 fits the input but not the vector of 2 bytes around it.
  assert.throws(() => decode(vector(opaque), fromHex("0202aabb")), DecodeError)
})
