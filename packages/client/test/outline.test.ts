import assert from "node:assert/strict"
import { it } from "node:test"
import { nodeProvider } from "@conclave/crypto/node"
import { cipherSuite, createKeyPackage, dangerouslyAcceptAll, Group, type GroupChanges, leafIndex } from "@conclave/mls"
import { Outline } from "../src/conversation/outline.js"
import type { Transaction } from "../src/journal/transactions.js"

const provider = nodeProvider()
const suite = cipherSuite(1, provider)
const id = "conversation"
const now = 1_800_000_000n

/** Where a transaction's records end up. */
function target() {
  const records = new Map<string, Uint8Array>()
  let written = 0
  const transaction = {
    put(key: string, record: Uint8Array) {
      written += record.length
      records.set(key, record)
    },
    delete: (key: string) => records.delete(key),
  } as unknown as Transaction
  return { records, transaction, written: () => written }
}

function signerOf(name: string) {
  const key = suite.signature.generate(provider.random)
  return { credential: { type: "basic", identity: new TextEncoder().encode(name) }, key } as const
}

const keyPackage = (name: string) =>
  createKeyPackage({
    suite,
    signer: signerOf(name),
    lifetime: { notBefore: now - 3600n, notAfter: now + 86_400n },
  }).keyPackage

const names = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `name ${from + i}`)
const leaves = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => leafIndex(from + i))

const SMALL_CHANGE: GroupChanges = {}
const since = () => 1

it("what is shown of a group follows its tree as it grows, changes and shrinks, and is what a fresh look shows", () => {
  const group = Group.create({
    suite,
    signer: signerOf("alice"),
    groupId: provider.random(16),
    now: () => now,
  })
  const followed = new Outline()
  const kept = target()
  followed.save(kept.transaction, id, group, { changed: undefined, since })
  group.takeChanges()
  const transactions: readonly GroupChanges[] = [
    { add: names(1, 4).map(keyPackage) },
    {},
    // From one part to two, and to three: the old end of a part is in no list of changes.
    { add: names(4, 65).map(keyPackage), path: false },
    { add: names(65, 66).map(keyPackage) },
    { add: names(66, 130).map(keyPackage), path: false },
    { remove: leaves(2, 9) },
    { add: [keyPackage("name 3")] },
    { signer: signerOf("alice the second") },
    { remove: leaves(64, 130) },
    {},
    { add: names(200, 300).map(keyPackage), path: false },
    { remove: leaves(3, 158) },
    { add: names(300, 900).map(keyPackage), path: false },
    SMALL_CHANGE,
  ]
  for (const [at, changes] of transactions.entries()) {
    const commit = group.commit(changes)
    group.apply(commit, dangerouslyAcceptAll(commit.claims))
    const { nodes } = group.takeChanges()
    const before = kept.written()
    followed.save(kept.transaction, id, group, { changed: nodes, since })
    const fresh = new Outline()
    const all = target()
    fresh.save(all.transaction, id, group, { changed: undefined, since })
    assert.deepEqual(followed.shown, fresh.shown, `after transaction ${at}`)
    assert.deepEqual([...kept.records].sort(), [...all.records].sort(), `after transaction ${at}`)
    if (changes === SMALL_CHANGE)
      assert(kept.written() - before < all.written() / 2, `${kept.written() - before} bytes`)
  }
})
