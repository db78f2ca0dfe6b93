import assert from "node:assert/strict"
import { test } from "node:test"
import { decode, encode, opaque, retained, struct, uint8, uint16, vector } from "@conclave/codec"

const Leaf = retained(struct("Leaf", { key: opaque, number: uint16 }))
const Tree = struct("Tree", { version: uint8, leaves: vector(Leaf) })

const leaves = [
  { key: Uint8Array.of(1, 2), number: 7 },
  { key: new Uint8Array(70), number: 8 },
]

test("a value that was decoded inside others keeps exactly its own bytes", () => {
  const tree = decode(Tree, encode(Tree, { version: 1, leaves }))
  tree.leaves.forEach((leaf, i) => {
    assert.deepEqual(Leaf.bytesOf(leaf), encode(Leaf, leaves[i]!))
  })
  assert.deepEqual(encode(Tree, tree), encode(Tree, { version: 1, leaves }))
})

test("the bytes of a decoded value are kept, not made again", () => {
  const leaf = decode(Leaf, encode(Leaf, leaves[0]!))
  assert.equal(Leaf.bytesOf(leaf), Leaf.bytesOf(leaf))
  // They are the very bytes from which the value's own were taken.
  assert.equal(Leaf.bytesOf(leaf).buffer, leaf.key.buffer)
})

test("a value that was made here has the bytes of its encoding", () => {
  const leaf = { key: Uint8Array.of(5), number: 0x0102 }
  assert.deepEqual(Leaf.bytesOf(leaf), Uint8Array.of(1, 5, 1, 2))
})

test("a changed copy of a decoded value is a new value: its bytes are its own", () => {
  const leaf = decode(Leaf, encode(Leaf, leaves[0]!))
  const changed = { ...leaf, number: 9 }
  assert.deepEqual(Leaf.bytesOf(changed), encode(Leaf, { ...leaves[0]!, number: 9 }))
  assert.deepEqual(decode(Tree, encode(Tree, { version: 1, leaves: [changed] })).leaves[0]!.number, 9)
  assert.deepEqual(Leaf.bytesOf(leaf), encode(Leaf, leaves[0]!))
})

test("kept bytes are not the caller's input, which may change", () => {
  const input = encode(Leaf, leaves[0]!)
  const leaf = decode(Leaf, input)
  const expected = input.slice()
  input.fill(0xff)
  assert.deepEqual(Leaf.bytesOf(leaf), expected)
})
