import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError, decode, encode, shared, struct, uint16, vector } from "@conclave/codec"

const list = shared(vector(uint16))
const two = struct("Two", { first: list, second: list })

test("equal short lists are decoded to one frozen array, whatever their length", () => {
  for (const items of [[], [1], [0, 1], [1, 2, 3], [1, 2, 3, 4], Array.from({ length: 15 }, (_, i) => i)]) {
    const bytes = encode(list, items)
    const [once, again] = [decode(list, bytes), decode(list, bytes)]
    assert.deepEqual(again, items)
    assert.equal(again, once)
    assert(Object.isFrozen(once))
  }
})

test("lists that differ are never taken for each other, and what follows them is read from the right place", () => {
  const lists = [[], [0], [1], [0, 0], [0, 1], [1, 0], [0, 0, 0], [0, 0, 1], [256], [1, 256]]
  for (let round = 0; round < 2; round++) {
    for (const first of lists) {
      for (const second of lists) {
        assert.deepEqual(decode(two, encode(two, { first, second })), { first, second })
      }
    }
  }
})

test("a known list that is cut off, or that its surroundings do not leave room for, is refused", () => {
  decode(list, encode(list, [1, 2]))
  for (const bytes of [[4, 0, 1, 0], [4], [3, 0, 1, 0]]) {
    assert.throws(() => decode(list, Uint8Array.from(bytes)), DecodeError)
  }
  const confined = vector(list)
  assert.throws(() => decode(confined, Uint8Array.from([3, 4, 0, 1, 0, 2])), DecodeError)
})
