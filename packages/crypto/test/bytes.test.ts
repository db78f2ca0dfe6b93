import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, equalBytes, wipe } from "../src/index.js"
import { flipped, seeded } from "./support.js"

test("two byte strings are equal when every bit is", () => {
  const random = seeded("equal")
  for (const length of [0, 1, 31, 32, 64]) {
    const original = random(length)
    assert.equal(equalBytes(original, new Uint8Array(original)), true)
    for (let bit = 0; bit < 8 * length; bit++) assert.equal(equalBytes(original, flipped(original, bit)), false)
  }
})

test("byte strings of different lengths are different", () => {
  assert.equal(equalBytes(new Uint8Array(3), new Uint8Array(4)), false)
  assert.equal(equalBytes(new Uint8Array(1), new Uint8Array(0)), false)
})

test("wiping overwrites what it is given and nothing beside it", () => {
  const memory = Uint8Array.of(1, 2, 3, 4, 5)
  wipe(memory.subarray(1, 4), undefined)
  assert.deepEqual(memory, Uint8Array.of(1, 0, 0, 0, 5))
})

test("parts are joined in their order, in memory of their own", () => {
  const first = Uint8Array.of(1, 2)
  const joined = concat(first, new Uint8Array(0), Uint8Array.of(3))
  first.fill(9)
  assert.deepEqual(joined, Uint8Array.of(1, 2, 3))
})
