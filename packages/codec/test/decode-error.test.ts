import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, decode, encode, enumeration, opaque, struct, uint8, uint32, union, vector } from "@conclave/codec"

const Kind = enumeration("Kind", 1, { plain: 1, signed: 2 })
const Item = struct("Item", { name: opaque, number: uint32 })
const Body = union("Body", "kind", Kind, { plain: { items: vector(Item) }, signed: { signature: opaque } })
const Message = struct("Message", { version: uint8, body: Body })

test("an error names the fields around the place, outermost first, and the byte", () => {
  const encoded = encode(Message, {
    version: 1,
    body: { type: "plain", items: [{ name: Uint8Array.of(9), number: 5 }] },
  })
  const error = refusal(encoded.subarray(0, -1), (bytes) => {
    // The vector now ends one byte early, inside its item's number.
    bytes[2]! -= 1
  })
  assert.deepEqual(error.path, ["Message.body", "Kind.plain.items", "Item.number"])
  assert.equal(error.offset, 5)
  assert.equal(error.reason, "need 4 bytes, have 3")
  assert.equal(error.message, "Message.body > Kind.plain.items > Item.number: need 4 bytes, have 3 (at byte 5)")
  assert.equal(error.code, "DECODE_FAILED")
})

test("the offset counts from the start of the input, inside vectors too", () => {
  const items = Array.from({ length: 20 }, (_, number) => ({ name: new Uint8Array(10), number }))
  const encoded = encode(Message, { version: 1, body: { type: "plain", items } })
  const error = refusal(encoded, (bytes) => {
    // The length of the last item's name, in front of 10 bytes and a number of 4.
    bytes[bytes.length - 15] = 0xff
  })
  assert.equal(error.offset, encoded.length - 14)
  assert.equal(error.path.at(-1), "Item.name")
})

test("a value that is decoded has memory of its own: later changes of the input do not reach it", () => {
  const input = Uint8Array.of(3, 1, 2, 3)
  const value = decode(opaque, input)
  input.fill(0)
  assert.deepEqual(value, Uint8Array.of(1, 2, 3))
})

test("what is decoded from a Buffer is a plain array, whose slices are copies", () => {
  const value = decode(opaque, Buffer.from([3, 1, 2, 3]))
  assert.equal(Object.getPrototypeOf(value), Uint8Array.prototype)
  value.slice().fill(0)
  assert.deepEqual(value, Uint8Array.of(1, 2, 3))
})

function refusal(encoded: Uint8Array, spoil: (bytes: Uint8Array) => void): DecodeError {
  const bytes = encoded.slice()
  spoil(bytes)
  try {
    decode(Message, bytes)
  } catch (error) {
    assert(error instanceof DecodeError)
    return error
  }
  return assert.fail("the bytes were decoded")
}
