import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, decode, encode } from "@conclave/codec"
import fc from "fast-check"
import { bytes, shapes } from "./shapes.js"

const shapeAndValue = shapes(3).chain(({ codec, values }) => values.map((value) => ({ codec, value })))

test("what was encoded decodes to the same value, whatever the codec is composed of", () => {
  fc.assert(
    fc.property(shapeAndValue, ({ codec, value }) => {
      assert.deepEqual(plain(decode(codec, encode(codec, value))), plain(value))
    }),
    { numRuns: 500 },
  )
})

test("any bytes are refused with a DecodeError or are the one encoding of what they decode to", () => {
  let decoded = 0
  fc.assert(
    fc.property(shapes(2), bytes({ maxLength: 40 }), ({ codec }, input) => {
      const value = decodeOrRefuse(() => decode(codec, input))
      if (value === undefined) return
      decoded++
      // A copy, because a value that keeps its bytes would be written by copying them.
      assert.deepEqual(encode(codec, plain(value)), input)
    }),
    { numRuns: 5000 },
  )
  assert(decoded > 0)
})

test("an encoding with one byte changed is refused or is the one encoding of another value", () => {
  fc.assert(
    fc.property(shapeAndValue, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ codec, value }, place, change) => {
      const changed = encode(codec, value)
      fc.pre(changed.length > 0)
      changed[place % changed.length]! ^= change
      const other = decodeOrRefuse(() => decode(codec, changed))
      if (other !== undefined) assert.deepEqual(encode(codec, plain(other)), changed)
    }),
    { numRuns: 2000 },
  )
})

test("no encoding is the beginning of another: an encoding that is cut short or extended is refused", () => {
  fc.assert(
    fc.property(shapeAndValue, fc.nat(), ({ codec, value }, place) => {
      const encoded = encode(codec, value)
      fc.pre(encoded.length > 0)
      assert.throws(() => decode(codec, encoded.subarray(0, place % encoded.length)), DecodeError)
      assert.throws(() => decode(codec, Uint8Array.of(...encoded, place & 0xff)), DecodeError)
    }),
    { numRuns: 500 },
  )
})

/** `undefined` where a DecodeError refused the input; anything else that is thrown is a fault. */
function decodeOrRefuse<T>(decodeInput: () => T): { value: T }["value"] | undefined {
  try {
    return decodeInput()
  } catch (error) {
    assert(error instanceof DecodeError, String(error))
    return undefined
  }
}

/** A deep copy without prototypes: fast-check's records have none. */
function plain(value: any): any {
  if (value instanceof Uint8Array) return value.slice()
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}
