import assert from "node:assert/strict"
import { test } from "node:test"
import {
  boolean,
  type Codec,
  DecodeError,
  decode,
  encode,
  enumeration,
  fixed,
  opaque,
  optional,
  select,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  union,
  utf8,
  vector,
} from "@conclave/codec"

const refused = (codec: Codec<unknown>, ...bytes: number[]) =>
  assert.throws(() => decode(codec, Uint8Array.from(bytes)), DecodeError)

test("a presence octet is 0 or 1", () => {
  const codec = optional(uint8)
  assert.equal(decode(codec, Uint8Array.of(0)), undefined)
  assert.equal(decode(codec, Uint8Array.of(1, 9)), 9)
  for (const octet of [2, 7, 0x80, 0xff]) refused(codec, octet, 9)
  refused(codec, 1)
})

test("a boolean is 0 or 1", () => {
  assert.deepEqual([decode(boolean, Uint8Array.of(0)), decode(boolean, Uint8Array.of(1))], [false, true])
  refused(boolean, 2)
})

test("bytes behind the value are refused, and counted", () => {
  assert.throws(() => decode(uint16, Uint8Array.of(0, 1, 2, 3, 4)), { reason: "3 bytes behind the value", offset: 2 })
})

test("input that is longer than allowed is not looked at", () => {
  const encoded = encode(opaque, new Uint8Array(100))
  assert.equal(decode(opaque, encoded, { sizeMax: encoded.length }).length, 100)
  assert.throws(() => decode(opaque, encoded, { sizeMax: encoded.length - 1 }), { name: "DecodeError", offset: 0 })
})

test("the empty input is no value", () => {
  for (const codec of [uint8, uint16, uint32, uint64, opaque, utf8, boolean, vector(uint8), optional(uint8)]) {
    refused(codec as Codec<unknown>)
  }
})

test("a vector of items without bytes is refused: it would never end", () => {
  refused(vector(struct("Empty", {})), 1, 0)
})

test("text that is not UTF-8 is refused", () => {
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
    refused(utf8, bytes.length, ...bytes)
  }
  // The mark of byte order is a character like others: removing it would give two encodings of one text.
  assert.equal(decode(utf8, Uint8Array.of(3, 0xef, 0xbb, 0xbf)), "\ufeff")
})

const Colour = enumeration("Colour", 1, { red: 1, darkBlue: 3 })
const Paint = union("Paint", "colour", Colour, { red: { shade: uint8 }, darkBlue: {} })
const Wall = struct("Wall", { paint: select(Colour, { red: { shade: uint8 }, darkBlue: {} }), height: uint16 })

test("a number that an enumeration does not have is refused, 0 included", () => {
  for (const number of [0, 2, 4, 255]) {
    refused(Colour, number)
    refused(Paint, number)
    refused(Wall, number, 0, 1)
  }
})

test("a name that an enumeration does not have cannot be written", () => {
  assert.throws(() => encode(Colour, "green" as "red"), TypeError)
  assert.throws(() => encode(Paint, { type: "green" } as never), TypeError)
  // What every object inherits is no name either.
  for (const type of ["toString", "constructor", "__proto__"]) {
    assert.throws(() => encode(Wall, { paint: { type }, height: 1 } as never), /^(Type|Range)Error/)
  }
})

for (const [codec, max] of [
  [uint8, 0xff],
  [uint16, 0xffff],
  [uint32, 0xffff_ffff],
] as const) {
  test(`only whole numbers from 0 to ${max} are written as ${codec.syntax.replace(" %", "")}`, () => {
    assert.equal(decode(codec, encode(codec, max)), max)
    for (const value of [-1, max + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => encode(codec, value), RangeError)
    }
  })
}

test("only whole numbers from 0 to 2⁶⁴−1 are written as uint64", () => {
  const max = 2n ** 64n - 1n
  assert.equal(decode(uint64, encode(uint64, max)), max)
  for (const value of [-1n, max + 1n]) assert.throws(() => encode(uint64, value), RangeError)
  assert.throws(() => encode(uint64, 1 as unknown as bigint), TypeError)
})

test("bytes of a fixed size are written in that size only", () => {
  for (const size of [0, 3, 5]) assert.throws(() => encode(fixed(4), new Uint8Array(size)), RangeError)
})

test("text with an unpaired surrogate cannot be written", () => {
  assert.throws(() => encode(utf8, "\ud800"), RangeError)
  assert.equal(decode(utf8, encode(utf8, "\u{1f510}")), "\u{1f510}")
})

test("a struct without one of its fields cannot be written", () => {
  assert.throws(() => encode(struct("Pair", { a: opaque, b: opaque }), { a: new Uint8Array(0) } as never), TypeError)
})

test("an encoding that fails leaves nothing behind for the next one", () => {
  const pair = struct("Pair", { secret: opaque, number: uint8 })
  assert.throws(() => encode(pair, { secret: new Uint8Array(32).fill(7), number: 256 }), RangeError)
  assert.deepEqual(encode(uint8, 1), Uint8Array.of(1))
})

test("a codec may encode another value while it is written", () => {
  const nested: Codec<number> = {
    syntax: "opaque %<V>",
    write: (writer, value) => opaque.write(writer, encode(uint16, value)),
    read: (reader) => decode(uint16, opaque.read(reader)),
  }
  const both = struct("Both", { before: uint8, nested, after: uint8 })
  assert.deepEqual(encode(both, { before: 1, nested: 2, after: 3 }), Uint8Array.of(1, 2, 0, 2, 3))
})
