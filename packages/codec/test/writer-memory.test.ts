import assert from "node:assert/strict"
import { test } from "node:test"
import { Writer } from "@conclave/codec"

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
