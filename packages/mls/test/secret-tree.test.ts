import assert from "node:assert/strict"
import { test } from "node:test"
import { leafIndex } from "../src/indexes.js"
import { Journal } from "../src/journal.js"
import { SecretTree } from "../src/schedule/secret-tree.js"
import { everySuite } from "./vectors/suites.js"
import { hex } from "./vectors/vector.js"

const suite = everySuite(1)
const alice = leafIndex(0)
const bob = leafIndex(1)
const limits = { forwardDistanceMax: 20, skippedKeysMax: 5 }

function secretTree(leafCount = 2, journal = new Journal(false)): SecretTree {
  return new SecretTree(suite, { leafCount, encryption: new Uint8Array(32).fill(3) }, { limits, journal, prefix: "e/" })
}

/** The keys of a ratchet in order, as their sender draws them. */
function keysOf(count: number, type: "application" | "handshake" = "application"): string[] {
  const sender = secretTree()
  return Array.from({ length: count }, (_, generation) => {
    const next = sender.next(alice, type)
    assert.equal(next.generation, generation)
    return hex(next.key)
  })
}

const spent = { code: "GENERATION_SPENT" }

test("sender and receiver have the same keys, and no two are alike", () => {
  const keys = [...keysOf(10), ...keysOf(10, "handshake")]
  assert.equal(new Set(keys).size, 20)
  const receiver = secretTree()
  for (let generation = 0; generation < 10; generation++) {
    const peeked = receiver.peek(alice, "application", generation)
    assert.equal(hex(peeked.key), keys[generation])
    peeked.spend()
  }
})

test("a key is spent once", () => {
  const receiver = secretTree()
  receiver.peek(alice, "application", 0).spend()
  assert.throws(() => receiver.peek(alice, "application", 0), spent)
})

test("a message that turns out forged spends no key, near or far ahead", () => {
  const keys = keysOf(12)
  const receiver = secretTree()
  for (const generation of [0, 11, 5]) receiver.peek(alice, "application", generation)
  for (let generation = 0; generation < 12; generation++) {
    const peeked = receiver.peek(alice, "application", generation)
    assert.equal(hex(peeked.key), keys[generation])
    peeked.spend()
  }
})

test("looking for the key of a message that turns out forged changes no record", () => {
  const journal = new Journal(true)
  const receiver = secretTree(8, journal)
  const before = [...receiver.records()]
  journal.take(() => [])
  for (const leaf of [alice, bob, leafIndex(7)]) receiver.peek(leaf, "handshake", 3)
  assert.deepEqual([...receiver.records()], before)
  assert.equal(journal.take(() => []).put.size, 0)
  receiver.peek(leafIndex(7), "handshake", 0).spend()
  assert.deepEqual([...receiver.records()].map(([name]) => name).sort(), [
    ...["e/node/12", "e/node/3", "e/node/9"],
    ...["e/ratchet/7/application", "e/ratchet/7/handshake"],
  ])
})

test("keys of skipped messages stay until they are used, in any order, and are gone then", () => {
  const keys = keysOf(6)
  const receiver = secretTree()
  for (const generation of [5, 2, 0, 4, 1, 3]) {
    const peeked = receiver.peek(alice, "application", generation)
    assert.equal(hex(peeked.key), keys[generation])
    peeked.spend()
    assert.throws(() => receiver.peek(alice, "application", generation), spent)
  }
})

test("only so many keys of skipped messages are kept: the oldest are dropped first", () => {
  const receiver = secretTree()
  receiver.peek(alice, "application", 7).spend()
  for (const dropped of [0, 1]) assert.throws(() => receiver.peek(alice, "application", dropped), spent)
  for (const kept of [2, 3, 4, 5, 6]) receiver.peek(alice, "application", kept).spend()
})

test("a message too far ahead is refused, and refusing it spends nothing", () => {
  const receiver = secretTree()
  assert.throws(() => receiver.peek(alice, "application", limits.forwardDistanceMax + 1), spent)
  assert.throws(() => receiver.peek(alice, "application", 0xffff_ffff), spent)
  assert.equal(hex(receiver.peek(alice, "application", 0).key), keysOf(1)[0])
  receiver.peek(alice, "application", limits.forwardDistanceMax).spend()
})

test("a leaf beyond the tree has no keys", () => {
  assert.throws(() => secretTree().peek(leafIndex(2), "application", 0), { code: "NO_SUCH_KEY" })
})

test("what led to a spent key is in no record: earlier keys cannot be derived again", () => {
  const tree = secretTree()
  tree.next(alice, "application")
  const records = [...tree.records()]
  const names = records.map(([name]) => name).sort()
  assert.deepEqual(names, ["e/node/2", "e/ratchet/0/application", "e/ratchet/0/handshake"])
  const restored = secretTreeFrom(records)
  assert.throws(() => restored.peek(alice, "application", 0), spent)
  assert.equal(hex(restored.next(alice, "application").key), keysOf(2)[1])
})

test("a destroyed tree has no keys, and all its records are deleted", () => {
  const journal = new Journal(false)
  const tree = secretTree(4, journal)
  tree.next(alice, "application")
  tree.peek(bob, "application", 3).spend()
  const stored = [...journal.take(() => tree.records()).put.keys()]
  assert.equal(new Set(stored.map((name) => name.split("/")[1])).size, 3, "nodes, ratchets and skipped keys")
  tree.destroy()
  assert.deepEqual([...tree.records()], [])
  const { put, delete: deleted } = journal.take(() => [])
  assert.deepEqual([[...put.keys()], [...deleted].sort()], [[], stored.sort()])
  for (const leaf of [alice, bob, leafIndex(3)]) assert.throws(() => tree.next(leaf, "application"))
})

test("a tree that follows its journal record by record is the tree that was left", () => {
  const journal = new Journal(false)
  const tree = secretTree(8, journal)
  const stored = new Map(journal.take(() => tree.records()).put)
  const store = () => {
    const { put, delete: deleted } = journal.take(() => [])
    for (const [key, record] of put) stored.set(key, record)
    for (const key of deleted) stored.delete(key)
  }
  const steps = [
    () => tree.next(alice, "application"),
    () => tree.peek(bob, "application", 4).spend(),
    () => tree.peek(bob, "application", 2).spend(),
    () => tree.next(leafIndex(7), "handshake"),
    () => tree.peek(bob, "application", 12).spend(),
    () => tree.next(alice, "application"),
  ]
  for (const step of steps) {
    step()
    store()
    assert.deepEqual(readable(stored), readable(tree.records()))
  }
})

test("a message changes one record, in a group of 2 and of 4,096", () => {
  for (const leafCount of [2, 4096]) {
    const journal = new Journal(false)
    const tree = secretTree(leafCount, journal)
    tree.next(alice, "application")
    tree.peek(bob, "application", 0).spend()
    journal.take(() => tree.records())
    tree.next(alice, "application")
    tree.peek(bob, "application", 1).spend()
    const { put, delete: deleted } = journal.take(() => [])
    assert.deepEqual([...put.keys()].sort(), ["e/ratchet/0/application", "e/ratchet/1/application"])
    assert.deepEqual([...deleted], [])
  }
})

const readable = (records: Iterable<readonly [string, Uint8Array]>) =>
  Array.from(records, ([key, record]) => `${key} ${hex(record)}`).sort()

function secretTreeFrom(records: readonly (readonly [string, Uint8Array])[]): SecretTree {
  const tree = new SecretTree(suite, { leafCount: 2 }, { limits, journal: new Journal(true), prefix: "e/" })
  for (const [name, bytes] of records) tree.restore(name.slice("e/".length), bytes)
  return tree
}
