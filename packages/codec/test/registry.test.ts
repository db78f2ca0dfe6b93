import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, decode, encode, enumeration, opaque, struct, uint8, uint16, union, vector } from "@conclave/codec"

const Kind = enumeration("Kind", 2, { text: 1, number: 2 })
const Value = union("Value", "kind", Kind, { text: { text: opaque }, number: { number: uint16 } }, "open")
const point = struct("Point", { x: uint8, y: uint8 })
const registries = { Kind: new Map([[0xf001, point]]) }

const encoded = Uint8Array.of(7, 0xf0, 0x01, 3, 4, 0, 1, 0)

test("a value that an application has registered survives a round trip, among others", () => {
  const values = decode(vector(Value), encoded, { registries })
  assert.deepEqual(values, [
    { type: "registered", number: 0xf001, content: Uint8Array.of(3, 4) },
    { type: "text", text: new Uint8Array(0) },
  ])
  assert.deepEqual(encode(vector(Value), values), encoded)
})

test("a value that nobody has registered cannot be read: nothing says where it ends", () => {
  assert.throws(() => decode(vector(Value), encoded), { name: "DecodeError", reason: "unknown Kind 61441" })
  assert.throws(() => decode(vector(Value), encoded, { registries: { Other: registries.Kind } }), DecodeError)
})

test("a registered value has to be well-formed itself", () => {
  assert.throws(() => decode(Value, Uint8Array.of(0xf0, 0x01, 3), { registries }), DecodeError)
})

test("a registry cannot redefine a value that the declaration knows", () => {
  const redefined = { Kind: new Map([[2, point]]) }
  assert.deepEqual(decode(Value, Uint8Array.of(0, 2, 3, 4), { registries: redefined }), {
    type: "number",
    number: 0x0304,
  })
  assert.throws(() => encode(Value, { type: "registered", number: 2, content: Uint8Array.of(3, 4) }), TypeError)
})

test("the number of a registered value has to fit its enumeration", () => {
  for (const number of [-1, 0x1_0000]) {
    assert.throws(() => encode(Value, { type: "registered", number, content: new Uint8Array(0) }), RangeError)
  }
})

test("a closed union takes no registered values", () => {
  const Closed = union("Closed", "kind", Kind, { text: { text: opaque }, number: { number: uint16 } })
  assert.throws(() => decode(Closed, Uint8Array.of(0xf0, 0x01, 3, 4), { registries }), DecodeError)
  const registered = { type: "registered", number: 0xf001, content: new Uint8Array(0) }
  assert.throws(() => encode(Closed, registered as never), TypeError)
})
