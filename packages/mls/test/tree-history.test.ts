import assert from "node:assert/strict"
import { test } from "node:test"
import { type LeafIndex, leafIndex, nodeIndex } from "../src/indexes.js"
import { signLeafNode, validateLeafNode } from "../src/tree/leaf.js"
import { derivePath, mergePath } from "../src/tree/path.js"
import { RatchetTree } from "../src/tree/ratchet-tree.js"
import { validateTree } from "../src/tree/validation.js"
import type { LeafNode, UnsignedLeafNode } from "../src/wire.js"
import { everySuite } from "./vectors/suites.js"
import { bytes, hex } from "./vectors/vector.js"

const suite = everySuite(1)
const groupId = new TextEncoder().encode("history")
const requirements = { suite, extensions: [], required: undefined, lifetimeSecondsMax: 2n ** 64n, now: undefined }

/*
 * Trees grow as they do in groups: members are added (with a path of whoever commits, or without), updated, removed,
 * and commit. What a tree remembers of itself must at every step be what somebody finds who sees it for the first time.
 */
for (let seed = 1; seed <= 12; seed++) {
  test(`a tree that has changed for long is the tree that a newcomer decodes: history ${seed}`, () => {
    const history = new History(seed)
    for (let step = 0; step < 60; step++) {
      history.step()
      const { tree } = history
      const decoded = RatchetTree.decode(suite, tree.encode())
      assert.equal(hex(tree.treeHash()), hex(decoded.treeHash()), `tree hash after ${history.log.join(", ")}`)
      validateTree(decoded, { groupId, requirements })
      validateTree(tree, { groupId, requirements })
      assert.deepEqual(remembered(tree), remembered(decoded))
      history.requireForgeryIsNoticed()
    }
  })
}

for (let seed = 1; seed <= 12; seed++) {
  test(`a tree goes on the same after it was sent or stored, whatever of it was read: history ${seed}`, () => {
    const history = new History(seed)
    const carried = new History(seed)
    for (let step = 0; step < 60; step++) {
      const encoded = carried.tree.encode()
      if (step % 3 === 0) carried.tree = RatchetTree.decode(suite, encoded)
      if (step % 3 === 1) carried.tree = stored(carried.tree)
      // Some leaves are looked at, and kept from then on; the others stay as they came.
      for (const index of carried.tree.occupiedLeaves()) if ((index + step) % 3 === 0) carried.tree.leaf(index)
      history.step()
      carried.step()
      assert.equal(hex(carried.tree.encode()), hex(history.tree.encode()), `after ${history.log.join(", ")}`)
      assert.equal(hex(carried.tree.treeHash()), hex(history.tree.treeHash()))
      assert.deepEqual(remembered(carried.tree), remembered(history.tree))
      validateTree(carried.tree, { groupId, requirements })
    }
  })
}

function stored(tree: RatchetTree): RatchetTree {
  const records: [number, Uint8Array][] = []
  for (let i = 0; i < 2 * tree.leafCount - 1; i++) {
    const encoded = tree.encodedNode(nodeIndex(i))
    if (encoded !== undefined) records.unshift([i, encoded])
  }
  return RatchetTree.ofEncodedNodes(suite, tree.leafCount, records)
}

test("reading a leaf of a tree's draft changes neither of the two, and what is set in one is not in the other", () => {
  const history = new History(3)
  for (let step = 0; step < 20; step++) history.step()
  const tree = RatchetTree.decode(suite, history.tree.encode())
  const before = hex(tree.encode())
  const draft = tree.draft()
  const [first, second] = Array.from(draft.occupiedLeaves())
  assert.deepEqual(draft.leaf(first!), tree.leaf(first!))
  draft.setLeaf(first!, tree.leaf(second!)!)
  assert.notDeepEqual(draft.leaf(first!), tree.leaf(first!))
  assert.equal(hex(tree.encode()), before)
  assert.notEqual(hex(draft.encode()), before)
})

test("the histories have blank nodes, unmerged leaves below committed parents, and trees that grow and shrink", () => {
  const seen = { blankLeaf: 0, blankParent: 0, unmergedInsideSibling: 0, grown: 0, truncated: 0 }
  for (let seed = 1; seed <= 12; seed++) {
    const history = new History(seed)
    let before = 1
    for (let step = 0; step < 60; step++) {
      history.step()
      const { tree } = history
      if (tree.leafCount > before) seen.grown++
      if (tree.leafCount < before) seen.truncated++
      before = tree.leafCount
      const members = Array.from(tree.leaves()).length
      if (members < tree.leafCount) seen.blankLeaf++
      const parents = Array.from(tree.parents(), ([, parent]) => parent)
      if (parents.length < tree.leafCount - 1) seen.blankParent++
      if (parents.filter((parent) => parent.unmergedLeaves.length > 0).length > 1) seen.unmergedInsideSibling++
    }
  }
  for (const [what, times] of Object.entries(seen)) assert(times > 0, what)
})

/** What a tree keeps beside its nodes so that questions about all members need no scan. */
function remembered(tree: RatchetTree) {
  const keys = Array.from(tree.leaves(), ([, leaf]) => leaf)
  const parents = Array.from(tree.parents(), ([, parent]) => parent)
  return {
    leafCount: tree.leafCount,
    nextLeaf: tree.nextLeaf(),
    members: tree.census.members,
    suites: [1, 2].map((number) => tree.census.allSupport("cipherSuites", number)),
    credentials: [...tree.census.credentialsInUse],
    signatureKeys: keys.map((leaf) => tree.signatureKeys.count(leaf.signatureKey)),
    encryptionKeys: [...keys, ...parents].map((node) => tree.encryptionKeys.count(node.encryptionKey)),
    unknownKey: tree.encryptionKeys.count(bytes("00".repeat(32))),
  }
}

/** A sequence of changes that depends on nothing but its seed. */
class History {
  tree: RatchetTree
  readonly log: string[] = []
  readonly #signers = new Map<LeafIndex, ReturnType<typeof suite.signature.importKey>>()
  #drawn = 0
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
    this.tree = RatchetTree.ofOneLeaf(suite, this.#newLeaf(leafIndex(0)))
    this.tree.settle()
  }

  step(): void {
    const members = Array.from(this.tree.leaves(), ([index]) => index)
    const someone = members[this.#below(members.length)]!
    const draft = this.tree.draft()
    const wish = this.#below(10)
    if (wish <= 3 || members.length < 3) this.#add(draft, wish === 0 ? undefined : someone)
    else if (wish <= 5) this.#remove(draft, someone, members[(members.indexOf(someone) + 1) % members.length]!)
    else if (wish === 6) this.#update(draft, someone)
    else this.#commit(draft, someone)
    draft.settle()
    this.tree = draft
  }

  /** A parent with another key does not pass for the one that the tree's leaves vouch for. */
  requireForgeryIsNoticed(): void {
    const parents = Array.from(this.tree.parents())
    if (parents.length === 0) return
    const [node, parent] = parents[this.#below(parents.length)]!
    const forged = this.tree.draft()
    forged.setParent(node, { ...parent, encryptionKey: this.#keyPair().publicKey })
    assert.throws(() => validateTree(forged, { groupId, requirements }), { rule: "tree-parent-hash" })
  }

  #add(draft: RatchetTree, committer: LeafIndex | undefined): void {
    const index = draft.nextLeaf()
    assert.equal(draft.addLeaf(this.#newLeaf(index)), index)
    this.log.push(`add ${index}`)
    if (committer !== undefined) this.#commit(draft, committer)
  }

  #remove(draft: RatchetTree, index: LeafIndex, committer: LeafIndex): void {
    draft.removeLeaf(index)
    draft.truncate()
    this.#signers.delete(index)
    this.log.push(`remove ${index}`)
    this.#commit(draft, committer)
  }

  #update(draft: RatchetTree, index: LeafIndex): void {
    draft.updateLeaf(index, this.#sign(index, draft.leaf(index)!, { type: "update" }))
    this.log.push(`update ${index}`)
  }

  #commit(draft: RatchetTree, index: LeafIndex): void {
    const steps = draft.filteredDirectPath(index)
    const { steps: secrets } = derivePath(suite, this.#bytes(32), steps.length)
    const publicKeys = secrets.map((secret) => secret.publicKey)
    const parentHash = mergePath(draft, index, steps, publicKeys)
    draft.setLeaf(index, this.#sign(index, draft.leaf(index)!, { type: "commit", parentHash }))
    this.log.push(`commit ${index}`)
  }

  #newLeaf(index: LeafIndex): LeafNode {
    const key = suite.signature.importKey(this.#bytes(32))
    this.#signers.set(index, key)
    const leaf = signLeafNode(
      {
        encryptionKey: this.#keyPair().publicKey,
        signatureKey: key.publicKey,
        credential: { type: "basic", identity: this.#bytes(4) },
        capabilities: this.#capabilities(),
        leafNodeSource: { type: "keyPackage", lifetime: { notBefore: 0n, notAfter: 1n } },
        extensions: [],
      },
      key,
      undefined,
    )
    validateLeafNode(leaf, requirements)
    return leaf
  }

  #sign(index: LeafIndex, leaf: LeafNode, leafNodeSource: UnsignedLeafNode["leafNodeSource"]): LeafNode {
    const { signature: _, ...unsigned } = leaf
    const encryptionKey = this.#keyPair().publicKey
    const position = { groupId, leafIndex: index }
    const renewed = { ...unsigned, encryptionKey, leafNodeSource, capabilities: this.#capabilities() }
    return signLeafNode(renewed, this.#signers.get(index)!, position)
  }

  /** Most list the second suite, so that now and then all do. */
  #capabilities() {
    const second = this.#below(8) === 0 ? 1 : 2
    // A value that is listed twice is still one value of one member.
    return { versions: [1], cipherSuites: [1, second, 1], extensions: [], proposals: [], credentials: [1, 1] }
  }

  #keyPair() {
    return suite.hpke.deriveKeyPair(this.#bytes(32))
  }

  #below(bound: number): number {
    return new DataView(this.#bytes(4).buffer).getUint32(0) % bound
  }

  #bytes(length: number): Uint8Array {
    return suite.hash.digest(new TextEncoder().encode(`${this.#seed} ${this.#drawn++}`)).slice(0, length)
  }
}
