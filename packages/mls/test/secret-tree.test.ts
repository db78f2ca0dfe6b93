import assert from "node:assert/strict"
import { test } from "node:test"
import { leafIndex, nodeIndex } from "../src/indexes.js"
import { Journal } from "../src/journal.js"
import { ForwardBudget } from "../src/schedule/forward-budget.js"
import { SecretTree } from "../src/schedule/secret-tree.js"
import { isBelow, toNode } from "../src/tree/math.js"
import { everySuite } from "./vectors/suites.js"
import { hex } from "./vectors/vector.js"

const suite = everySuite(1)
const alice = leafIndex(0)
const bob = leafIndex(1)
const limits = { forwardDistanceMax: 20, handshakeDistanceMax: 7, skippedPerSecond: 2, skippedKeysMax: 5 }
let now = 1_800_000_000n

function secretTree(leafCount = 2, journal = new Journal(false)): SecretTree {
  return new SecretTree(
    suite,
    { leafCount, encryption: new Uint8Array(32).fill(3) },
    {
      limits,
      budget: new ForwardBudget(() => now, limits),
      journal,
      prefix: "e/",
    },
  )
}

/** A tree, and what has been derived since that was asked last: the very bytes that the tree has. */
function watched(leafCount: number) {
  const derived: Uint8Array[] = []
  const hmac = (key: Uint8Array, ...parts: Uint8Array[]) => {
    const secret = suite.hash.hmac(key, ...parts)
    derived.push(secret)
    return secret
  }
  // Where many are derived in one call, they are as many. A key or a nonce is not the tree's: who asks for it spends it.
  const hmacAll: NonNullable<typeof suite.hash.hmacAll> = (...asked) => {
    const secrets = suite.hash.hmacAll!(...asked)
    derived.push(...secrets.map((it) => (it.length === suite.secretSize ? it : new Uint8Array(it.length))))
    return secrets
  }
  const hash = { ...suite.hash, hmac, ...(suite.hash.hmacAll && { hmacAll }) }
  const tree = new SecretTree(
    { ...suite, hash },
    { leafCount, encryption: new Uint8Array(32).fill(3) },
    { limits, budget: new ForwardBudget(() => now, limits), journal: new Journal(false), prefix: "e/" },
  )
  return { tree, derivations: () => derived.splice(0) }
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
const overdrawn = { code: "FORWARD_BUDGET_SPENT", seenBy: "self" }

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

test("a key that is spent is told from one that is too far ahead", () => {
  const receiver = secretTree()
  receiver.peek(alice, "application", 0).spend()
  assert.throws(() => receiver.peek(alice, "application", 0), { ...spent, isAhead: false })
  for (const [generation, skippedMax] of [
    [limits.forwardDistanceMax + 2, undefined],
    [3, 1],
  ] as const) {
    const isAhead = { ...spent, isAhead: true }
    assert.throws(() => receiver.peek(alice, "application", generation, skippedMax), isAhead)
  }
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

test("a sender skips as many messages at once as it may be ahead, and then as time goes by", () => {
  const receiver = secretTree()
  const skipTo = (generation: number) => receiver.peek(alice, "application", generation).spend()
  skipTo(15)
  skipTo(16)
  assert.throws(() => skipTo(23), overdrawn)
  skipTo(22)
  assert.throws(() => skipTo(24), overdrawn)
  // Two a second; a clock that is put back gives nothing.
  now -= 100n
  assert.throws(() => skipTo(24), overdrawn)
  now += 101n
  skipTo(25)
  assert.throws(() => skipTo(27), overdrawn)
  now += 1000n
  skipTo(46)
  assert.throws(() => skipTo(48), overdrawn)
})

test("a message that comes in order while the clock is put back gives its sender nothing either", () => {
  const receiver = secretTree()
  receiver.peek(alice, "application", 20).spend()
  now -= 100n
  receiver.peek(alice, "application", 21).spend()
  now += 100n
  assert.throws(() => receiver.peek(alice, "application", 23), overdrawn)
})

test("what is looked at twice and spent twice is spent once: in the ratchet, among the skipped and in the budget", () => {
  const keys = keysOf(8)
  const receiver = secretTree()
  const twice = (generation: number) => {
    const both = [0, 1].map(() => receiver.peek(alice, "application", generation))
    for (const one of both) one.spend()
  }
  twice(5)
  assert.equal(hex(receiver.peek(alice, "application", 6).key), keys[6])
  // Five were skipped, and one of them comes: 16 are left of 20.
  twice(3)
  assert.throws(() => receiver.peek(alice, "application", 6 + 17), overdrawn)
  receiver.peek(alice, "application", 6 + 16).spend()
})

test("a message that was late and not left out is given back to its sender", () => {
  const receiver = secretTree()
  for (let at = 1; at < 200; at += 2) {
    receiver.peek(alice, "application", at).spend()
    receiver.peek(alice, "application", at - 1).spend()
  }
})

test("the messages that one sender skips are not counted for another, nor for proposals and commits", () => {
  const receiver = secretTree()
  receiver.peek(alice, "application", 20).spend()
  assert.throws(() => receiver.peek(alice, "application", 22), overdrawn)
  receiver.peek(bob, "application", 20).spend()
  for (let at = 7; at < 80; at += 8) receiver.peek(alice, "handshake", at).spend()
})

test("a proposal or a commit is not as far ahead as application data may be", () => {
  const receiver = secretTree()
  assert.throws(() => receiver.peek(alice, "handshake", limits.handshakeDistanceMax + 1), spent)
  receiver.peek(alice, "handshake", limits.handshakeDistanceMax).spend()
})

test("what nobody has authenticated costs its sender nothing, and is derived once", () => {
  const { tree: receiver, derivations } = watched(1024)
  const peek = () => receiver.peek(leafIndex(777), "application", 20)
  const first = peek()
  const once = derivations().length
  for (let i = 0; i < 10; i++) peek()
  assert(once > 20 + 2 * 10, "the ratchet was turned, and the tree descended")
  assert.equal(derivations().length, 10 * 2, "a key and a nonce for each")
  first.spend()
  assert.throws(() => peek(), spent)
})

test("what was derived for nothing is not forgotten over messages that come in order, in whosever names", () => {
  const { tree, derivations } = watched(64)
  const senders = Array.from({ length: 40 }, (_, i) => leafIndex(i + 1))
  for (const sender of [alice, ...senders]) tree.peek(sender, "application", 0).spend()
  tree.peek(alice, "application", 20)
  for (const sender of senders) tree.peek(sender, "application", 1)
  derivations()
  tree.peek(alice, "application", 20)
  assert.equal(derivations().length, 2, "a key and a nonce")
})

test("what was derived for nothing is overwritten when it is forgotten, and with the tree", () => {
  const { tree, derivations } = watched(64)
  const claim = (leaf: number) => {
    tree.peek(leafIndex(leaf), "application", 16)
    return derivations()
  }
  const isKept = (secrets: readonly Uint8Array[]) => secrets.some((secret) => secret.some((byte) => byte !== 0))
  const first = claim(0)
  assert.equal(first.length, 6 * 2 + 2 + 16 + 2, "the way down, two ratchets, 16 generations, a key and a nonce")
  const others = Array.from({ length: 32 }, (_, i) => claim(i + 1))
  assert(!isKept(first), "forgotten over 32 others")
  for (const secrets of others) assert(isKept(secrets))
  tree.destroy()
  for (const secrets of others) assert(!isKept(secrets))
})

test("far-ahead messages in the names of many senders are refused when too much was derived for nothing, until later", () => {
  const receiver = secretTree(64)
  const claim = (leaf: number) => receiver.peek(leafIndex(leaf), "application", 20)
  // Eight times as far as one message may be ahead.
  for (let leaf = 0; leaf < 8; leaf++) claim(leaf)
  assert.throws(() => claim(8), overdrawn)
  // What is near, and what has been derived, can be read all the same.
  receiver.peek(leafIndex(8), "application", 16).spend()
  claim(7).spend()
  now += 1n
  claim(9)
  assert.throws(() => claim(10), overdrawn)
})

test("what was looked at in between does not go wrong when it is spent later, in any order", () => {
  const sender = secretTree(64)
  const keys = Array.from({ length: 12 }, () => hex(sender.next(alice, "application").key))
  const receiver = secretTree(64)
  const peeked = [11, 3, 7, 3].map((generation) => receiver.peek(alice, "application", generation))
  const other = receiver.peek(leafIndex(9), "application", 2)
  peeked[2]!.spend()
  other.spend()
  for (const one of [peeked[0]!, peeked[1]!, peeked[3]!]) one.spend()
  assert.throws(() => receiver.peek(alice, "application", 3), spent)
  assert.equal(hex(receiver.peek(alice, "application", 10).key), keys[10])
  // Nothing is there any more from which a spent key could be derived.
  const nodes = Array.from(receiver.records(), ([name]) => name.split("/")).filter(([, kind]) => kind === "node")
  for (const [, , node] of nodes) {
    for (const leaf of [alice, leafIndex(9)]) assert(!isBelow(toNode(leaf), nodeIndex(Number(node))), `node ${node}`)
  }
  for (const leaf of [1, 8, 10, 40].map(leafIndex)) {
    receiver.peek(leaf, "application", 0).spend()
    sender.next(leaf, "application")
    const expected = hex(sender.next(leaf, "application").key)
    assert.equal(hex(receiver.peek(leaf, "application", 1).key), expected)
  }
})

test("a message that skips many changes few records, and each late one of them a single one", () => {
  const journal = new Journal(true)
  const wide = { ...limits, forwardDistanceMax: 1000, skippedKeysMax: 1000 }
  const tree = new SecretTree(
    suite,
    { leafCount: 2, encryption: new Uint8Array(32).fill(3) },
    { limits: wide, budget: new ForwardBudget(() => now, wide), journal, prefix: "e/" },
  )
  tree.peek(alice, "application", 0).spend()
  journal.take(() => [])
  tree.peek(alice, "application", 1000).spend()
  assert.equal(journal.take(() => []).put.size, 1 + 16)
  tree.peek(alice, "application", 500).spend()
  const { put, delete: deleted } = journal.take(() => [])
  assert.deepEqual([[...put.keys()], [...deleted]], [["e/missed/0/application/7"], []])
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

test("a message further ahead than messages can have been missed is refused before anything is derived for it", () => {
  const receiver = secretTree()
  const before = [...receiver.records()]
  assert.throws(() => receiver.peek(alice, "application", 4, 3), spent)
  assert.deepEqual([...receiver.records()], before)
  assert.equal(hex(receiver.peek(alice, "application", 3, 3).key), keysOf(4)[3])
  // Proposals and commits are judged alike by all members, whatever one of them has seen.
  receiver.peek(alice, "handshake", 4, 3)
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
  const budget = new ForwardBudget(() => now, limits)
  const tree = new SecretTree(suite, { leafCount: 2 }, { limits, budget, journal: new Journal(true), prefix: "e/" })
  for (const [name, bytes] of records) tree.restore(name.slice("e/".length), bytes)
  return tree
}
