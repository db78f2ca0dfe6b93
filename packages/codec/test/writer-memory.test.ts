import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, decodeOwned, opaque, uint8, Writer, written } from "@conclave/codec"

/** What is left at the front of a writer's memory: a vector's length that is not written yet shows it. */
function firstByteOf(writer: Writer): number {
  writer.beginVector()
  return writer.finish()[0]!
}

test("a writer's memory is overwritten when what was written is taken: it may be a secret", () => {
  const writer = new Writer()
  writer.uint8(0x55)
  writer.finish()
  assert.equal(firstByteOf(writer), 0)
})

test("a writer's memory is overwritten when what was written is given up", () => {
  const writer = new Writer()
  writer.uint8(0x55)
  writer.reset()
  assert.equal(firstByteOf(writer), 0)
})

test("what is truncated is overwritten, and written again from there", () => {
  const writer = new Writer()
  writer.bytes(Uint8Array.of(1, 2, 3, 4))
  const view = writer.view()
  writer.truncate(2)
  assert.deepEqual(view, Uint8Array.of(1, 2, 0, 0))
  assert.equal(writer.length, 2)
  writer.zeros(1)
  writer.uint8(9)
  assert.deepEqual(writer.view(), Uint8Array.of(1, 2, 0, 9))
  assert.deepEqual(writer.view(1, 3), Uint8Array.of(2, 0))
})

test("a lent writer is overwritten when its use ends, by an error too", () => {
  let view: Uint8Array = new Uint8Array(0)
  const use = (writer: Writer) => {
    writer.bytes(Uint8Array.of(5, 6, 7))
    view = writer.view()
    assert.deepEqual(view, Uint8Array.of(5, 6, 7))
  }
  written(use)
  assert.deepEqual(view, new Uint8Array(3))
  const failing = (writer: Writer) => {
    use(writer)
    throw new RangeError("no")
  }
  assert.throws(() => written(failing), /no/)
  assert.deepEqual(view, new Uint8Array(3))
})

test("writers that are lent at the same time are different ones", () => {
  written((outer) => {
    outer.bytes(Uint8Array.of(1, 2))
    const inner = written((writer) => {
      writer.bytes(Uint8Array.of(3, 4, 5))
      return written((third) => {
        third.uint8(6)
        return writer.finish()
      })
    })
    assert.deepEqual(inner, Uint8Array.of(3, 4, 5))
    assert.deepEqual(outer.view(), Uint8Array.of(1, 2))
  })
})

test("a value that is decoded from its owner's bytes is a view of them", () => {
  const bytes = Uint8Array.of(2, 8, 9)
  const value = decodeOwned(opaque, bytes)
  assert.equal(value.buffer, bytes.buffer)
  assert.throws(() => decodeOwned(uint8, bytes), DecodeError)
})
