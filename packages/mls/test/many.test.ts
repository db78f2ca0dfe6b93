import assert from "node:assert/strict"
import { test } from "node:test"
import type { Hash, Spans } from "@conclave/crypto"
import {
  type CipherSuite,
  cipherSuite,
  cipherSuiteNumbers,
  dangerouslyAcceptAll,
  leafIndex,
  toEnd,
} from "@conclave/mls"
import { nodeIndex } from "../src/indexes.js"
import { Derivations } from "../src/suite/derivations.js"
import { expandWithLabel } from "../src/suite/labels.js"
import { isParentHashValid } from "../src/tree/parent-hashes.js"
import { RatchetTree } from "../src/tree/ratchet-tree.js"
import { add, follow, groupOf, person, provider } from "./group-fixture.js"

/* What a provider does for many at once, against the same for each: by a hash that does it, and one that does not. */

/** As the contract says it, out of the hash's other functions. `asked`: how many were asked for at a time. */
function together({ size, digest, hmac }: Hash, asked: number[] = []): Hash {
  return {
    size,
    digest,
    hmac,
    digestAll({ memory, beside, rows }: Spans, count) {
      asked.push(count)
      const all = new Uint8Array(memory.length + beside.length + count * size)
      all.set(memory)
      all.set(beside, memory.length)
      const digests = all.subarray(memory.length + beside.length)
      for (let at = 0; at < rows.length; at += 2 + 2 * rows[at + 1]!) {
        const pieces = Array.from({ length: rows[at + 1]! }, (_, i) => {
          const [start, length] = [rows[at + 2 + 2 * i]!, rows[at + 3 + 2 * i]!]
          return all.subarray(start, start + length)
        })
        digests.set(digest(...pieces), rows[at]! * size)
      }
      return digests
    },
    hmacAll(key, texts, lengths) {
      let at = 0
      const view = new DataView(texts.buffer, texts.byteOffset)
      return lengths.map((length) => {
        const start = at + 4
        at = start + view.getUint32(at)
        return hmac(key, texts.subarray(start, at)).slice(0, length)
      })
    },
  }
}

const alone = ({ size, digest, hmac }: Hash): Hash => ({ size, digest, hmac })
const withHash = (suite: CipherSuite, hash: Hash): CipherSuite => ({ ...suite, hash })

const suites = cipherSuiteNumbers.map((number) => cipherSuite(number, provider))

test("secrets that follow from one are the same, derived together or one by one", () => {
  const own = new Uint8Array([1, 2, 3])
  const derivations = new Derivations(["one", "secret"], ["two", "key"], ["three", "nonce"], ["four", "secret", own])
  for (const suite of suites) {
    const secret = provider.random(suite.secretSize)
    for (const contextSize of [0, 4, 5, 64, 65, 4, 0]) {
      const context = provider.random(contextSize)
      const expected = [
        expandWithLabel(suite, secret, "one", context, suite.secretSize),
        expandWithLabel(suite, secret, "two", context, suite.aead.keySize),
        expandWithLabel(suite, secret, "three", context, suite.aead.nonceSize),
        expandWithLabel(suite, secret, "four", own, suite.secretSize),
      ]
      for (const hash of [suite.hash, alone(suite.hash), together(suite.hash)]) {
        assert.deepEqual(derivations.from(withHash(suite, hash), secret, context), expected)
      }
    }
  }
})

/** Trees with blank leaves and parents, unmerged leaves and full paths. */
function trees(): Uint8Array[] {
  const names = Array.from({ length: 21 }, (_, i) => `member ${i}`)
  const { groups } = groupOf(names)
  const all = [groups[0]!.ratchetTree()]
  const commit = (by: number, changes = {}) => {
    const from = groups[by]!
    const made = from.commit(changes)
    from.apply(made, dangerouslyAcceptAll(made.claims))
    for (const other of groups) if (other !== from && other.active) follow(other, made.message)
    all.push(from.ratchetTree())
  }
  for (const by of [3, 17, 8, 20, 1, 12, 5, 6, 7]) commit(by)
  commit(8, { remove: [leafIndex(2), leafIndex(9)] })
  groups.push(
    ...add(
      groups[8]!,
      [person("late"), person("later"), person("last")],
      groups.filter((it) => it.active && it !== groups[8]),
    ),
  )
  all.push(groups[8]!.ratchetTree())
  for (const by of [0, 17, 11]) commit(by)
  return all
}

const { suite } = person("anybody").options

test("the hashes of a tree are the same, taken together or one by one", () => {
  for (const encoded of trees()) {
    const asked: number[] = []
    const [a, b] = [together(suite.hash, asked), alone(suite.hash)].map((hash) => {
      const tree = RatchetTree.decode(withHash(suite, hash), encoded)
      toEnd(tree.hashInSlices())
      return tree
    })
    assert.deepEqual(asked, [2 * a!.leafCount - 1])
    for (let node = 0; node < 2 * a!.leafCount - 1; node++) {
      assert.deepEqual(a!.nodeHash(nodeIndex(node)), b!.nodeHash(nodeIndex(node)), `node ${node}`)
    }
    // Of a draft only what has changed, and what is above it.
    const drafts = [a!, b!].map((tree) => {
      const draft = tree.draft()
      for (const leaf of [0, 7, 13]) draft.updateLeaf(leafIndex(leaf), tree.leaf(leafIndex(leaf))!)
      toEnd(draft.hashInSlices())
      return draft
    })
    assert(asked[1]! < asked[0]! / 2)
    assert.deepEqual(drafts[0]!.treeHash(), drafts[1]!.treeHash())
    assert.deepEqual(a!.treeHash(), b!.treeHash())
  }
})

test("parents that are said to be linked are, and most are found", () => {
  let [found, parents] = [0, 0]
  for (const encoded of trees()) {
    const tree = RatchetTree.decode(withHash(suite, together(suite.hash)), encoded)
    const linked = tree.linkedParents()!
    for (const [index, parent] of tree.parents()) {
      parents++
      if (linked[index] !== 1) continue
      found++
      assert(isParentHashValid(tree, index, parent))
    }
    // The same tree with one bit of each parent hash turned over: none is linked by it any more.
    for (const [index, parent] of tree.parents()) {
      if (linked[index] !== 1) continue
      const draft = tree.draft()
      const parentHash = parent.parentHash.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
      draft.setParent(index, { ...parent, parentHash: parentHash.length > 0 ? parentHash : new Uint8Array(32) })
      const wrong = RatchetTree.decode(withHash(suite, together(suite.hash)), draft.encode())
      assert.notEqual(wrong.linkedParents()![index], 1, `node ${index}`)
    }
    assert.equal(RatchetTree.decode(withHash(suite, alone(suite.hash)), encoded).linkedParents(), undefined)
  }
  assert(found > 20 && found <= parents, `${found} of ${parents}`)
})
