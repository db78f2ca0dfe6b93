import assert from "node:assert/strict"
import { test } from "node:test"
import { Group, type GroupOptions, type RuleId } from "@conclave/mls"
import { nodeIndex } from "../src/indexes.js"
import { LEAF_COUNT_MAX } from "../src/tree/math.js"
import { isParentHashValid } from "../src/tree/parent-hashes.js"
import type { Node, ParentNode } from "../src/wire.js"
import { person, provider } from "./group-fixture.js"
import { encodeNodes, ForgedGroup, type WelcomeForgery } from "./rules/forged-group.js"
import { leaf } from "./rules/insider.js"
import { breaks } from "./rules/scene.js"

/*
 * Trees in array order; leaves are the even nodes.
 *
 *                               7
 *               3                               11
 *       1               5               9               13
 *   0       2       4       6       8       10      12      14
 */
const six = ["ann", "ben", "cem", "dan", "eli", "fay"]
const eight = [...six, "gus", "hal"]
const random = (length: number) => new Uint8Array(provider.random(length))

function enter(group: ForgedGroup, forgery: WelcomeForgery = {}, extra: Partial<GroupOptions> = {}) {
  return Group.stageExternalJoin({ ...person("eve", 1, extra).options, groupInfo: group.groupInfo(forgery) })
}

/** The tree as it is breaks the rule. */
const refusesTree = (id: RuleId, group: ForgedGroup) => breaks(id, () => enter(group))

/** The nodes make a tree that breaks the rule; the tree hash is right. */
const refusesNodes = (id: RuleId, group: ForgedGroup, nodes: readonly (Node | undefined)[]) =>
  breaks(id, () => enter(group, { ratchetTree: encodeNodes(nodes) }))

/** Changes one parent node of a finished tree. */
function alter(group: ForgedGroup, node: number, change: Partial<ParentNode>): ForgedGroup {
  const index = nodeIndex(node)
  group.tree.setParent(index, { ...group.tree.parentNode(index)!, ...change })
  return group
}

// --- The shape -------------------------------------------------------------------------------------------------------

test("tree-last-node-blank: a tree ends with a blank node", () => {
  const group = new ForgedGroup(["ann", "ben", "cem"]).commitAs(0)
  refusesNodes("tree-last-node-blank", group, group.nodes())
  const other = new ForgedGroup(["ann", "ben", "cem"]).commitAs(0)
  refusesNodes("tree-last-node-blank", other, [...other.nodes().slice(0, 5), undefined, undefined])
})

test("tree-last-node-blank: a tree has no nodes", () => {
  refusesNodes("tree-last-node-blank", new ForgedGroup(["ann"]), [])
})

test("a tree with a byte behind it is malformed", () => {
  const group = new ForgedGroup(["ann", "ben"]).commitAs(0)
  const ratchetTree = Uint8Array.of(...group.tree.encode(), 0)
  assert.throws(() => enter(group, { ratchetTree }), { name: "DecodeError" })
})

test("tree-length-odd: a tree ends with a parent node", () => {
  const group = new ForgedGroup(["ann", "ben", "", ""])
  // As if the root above an empty half had been set in a Commit: its parent hash is valid.
  const parent: ParentNode = {
    encryptionKey: group.suite.hpke.deriveKeyPair(random(32)).publicKey,
    parentHash: new Uint8Array(0),
    unmergedLeaves: [],
  }
  const link = group.setAbove(0, 3, parent)
  refusesNodes("tree-length-odd", link, link.nodes().slice(0, 4))
})

for (const [what, place] of [
  ["a parent node where a leaf belongs", 2],
  ["a leaf where a parent node belongs", 1],
] as const) {
  test(`tree-node-type: ${what}`, () => {
    const group = new ForgedGroup(["ann", "ben"]).commitAs(0)
    const nodes = group.nodes()
    nodes[place] = nodes[3 - place]
    refusesNodes("tree-node-type", group, nodes)
  })
}

test("tree-size: a tree is larger than the application allows", () => {
  const group = new ForgedGroup(six).commitAs(0)
  breaks("tree-size", () => enter(group, {}, { policy: { leafCountMax: 4 } }))
  assert.equal(enter(group, {}, { policy: { leafCountMax: 8 } }).epoch, 6n)
})

test("tree-size: two members, two million leaves apart", () => {
  const group = new ForgedGroup(["ann", "ben"])
  const [first, , second] = group.nodes()
  const nodes: (Node | undefined)[] = new Array(2 ** 21 + 1).fill(undefined)
  nodes[0] = first
  nodes[2 ** 21] = second
  assert(LEAF_COUNT_MAX >= 2 ** 20)
  refusesNodes("tree-size", group, nodes)
})

test("tree-hash: the tree is not the one of the GroupContext", () => {
  const group = new ForgedGroup(["ann", "ben"]).commitAs(0)
  for (const treeHash of [random(32), new Uint8Array(0), group.tree.treeHash().slice(1)]) {
    breaks("tree-hash", () => enter(group, { context: (it) => ({ ...it, treeHash }) }))
  }
})

test("tree-hash: the tree that comes beside is another group's", () => {
  const group = new ForgedGroup(["ann", "ben"]).commitAs(0)
  const groupInfo = group.groupInfo({ ratchetTree: undefined })
  // Signed by the same member, at the same leaf.
  const other = new ForgedGroup(["ann", "ben"]).commitAs(1)
  const nodes = [group.nodes()[0], ...other.nodes().slice(1)]
  const { options } = person("eve")
  breaks("tree-hash", () => Group.stageExternalJoin({ ...options, groupInfo, ratchetTree: encodeNodes(nodes) }))
  assert.equal(Group.stageExternalJoin({ ...options, groupInfo, ratchetTree: group.tree.encode() }).epoch, 6n)
})

test("looking for a resolution ends when there is more of it than is asked for", () => {
  const { tree } = new ForgedGroup(eight)
  const found = (limit?: number) => tree.resolution(nodeIndex(7), limit)
  assert.deepEqual(found(), [0, 2, 4, 6, 8, 10, 12, 14])
  assert.deepEqual(found(8), found())
  assert.deepEqual(found(2), [0, 2, 4])
})

// --- Parent hashes ---------------------------------------------------------------------------------------------------

test("tree-parent-hash: a leaf holds another parent hash", () => {
  for (const wrong of [random(32), new Uint8Array(0), random(31)]) {
    refusesTree("tree-parent-hash", new ForgedGroup(["ann", "ben"]).commitAs(0, { parentHash: () => wrong }))
  }
})

test("tree-parent-hash: a parent node that no Commit has set", () => {
  const group = new ForgedGroup(["ann", "ben"])
  const parent = { encryptionKey: group.suite.hpke.deriveKeyPair(random(32)).publicKey, parentHash: new Uint8Array(0) }
  group.tree.setParent(nodeIndex(1), { ...parent, unmergedLeaves: [] })
  refusesTree("tree-parent-hash", group)
})

test("tree-parent-hash: a parent node's key was exchanged", () => {
  const group = new ForgedGroup(six).commitAs(0).commitAs(5)
  refusesTree(
    "tree-parent-hash",
    alter(group, 3, { encryptionKey: group.suite.hpke.deriveKeyPair(random(32)).publicKey }),
  )
})

test("tree-parent-hash: the sibling of a path was exchanged after the Commit", () => {
  const group = new ForgedGroup(six).commitAs(0)
  const stranger = new ForgedGroup(six).tree.leaf(leaf(5))!
  group.tree.setLeaf(leaf(5), stranger)
  refusesTree("tree-parent-hash", group)
})

test("a parent node is linked to exactly one node besides its unmerged leaves, all of which are there", () => {
  const linked = (names: readonly string[], node: number, ...unmerged: number[]) => {
    const group = new ForgedGroup(names)
    const encryptionKey = group.suite.hpke.deriveKeyPair(random(32)).publicKey
    const parent = { encryptionKey, parentHash: new Uint8Array(0), unmergedLeaves: unmerged.map(leaf) }
    return isParentHashValid(group.setAbove(0, node, parent).tree, nodeIndex(node), parent)
  }
  assert.equal(linked(["ann", "", "cem"], 3), true)
  assert.equal(linked(["ann", "ben", "cem"], 3, 1), true)
  assert.equal(linked(["ann", "", "cem"], 3, 1), false, "an unmerged leaf is blank")
  assert.equal(linked(["ann", "ben", "cem"], 3), false, "two nodes")
  assert.equal(linked(["ann", "ben", "", "", "eli"], 7, 1), true)
  assert.equal(linked(["ann", "ben", "", "", "eli"], 7, 2), false, "two nodes, and an unmerged leaf is blank")
})

test("parent hashes chain over blank nodes, from either side, with leaves that are not merged", () => {
  for (const names of [
    six,
    ["ann", "", "cem", "", "eli"],
    ["ann", "", "", "", "eli", "fay"],
    ["", "ben", "", "dan", "", "", "", "hal"],
  ]) {
    const members = names.flatMap((name, i) => (name === "" ? [] : [i]))
    for (const first of members) {
      for (const second of members) {
        const group = new ForgedGroup(names).commitAs(first).commitAs(second)
        assert.equal(enter(group).epoch, 6n, `${names}: ${first}, ${second}`)
      }
    }
  }
  const group = new ForgedGroup(six).commitAs(0)
  for (const name of ["gus", "hal"]) group.tree.addLeaf(new ForgedGroup([name]).tree.leaf(leaf(0))!)
  assert.deepEqual(group.tree.parentNode(nodeIndex(7))!.unmergedLeaves, [6, 7])
  assert.equal(enter(group).epoch, 6n)
})

test("tree-root-parent-hash: the root has a parent hash", () => {
  refusesTree("tree-root-parent-hash", new ForgedGroup(six).commitAs(0, { rootParentHash: random(32) }))
})

test("tree-root-parent-hash: the only leaf has a parent hash", () => {
  refusesTree("tree-root-parent-hash", new ForgedGroup(["ann"]).commitAs(0, { parentHash: () => random(32) }))
  assert.equal(enter(new ForgedGroup(["ann"]).commitAs(0)).epoch, 6n)
})

// --- Unmerged leaves -------------------------------------------------------------------------------------------------

/** The members 6 and 7 were added after the first one's Commit: the root lists them. */
function withUnmerged(): ForgedGroup {
  const group = new ForgedGroup(six).commitAs(0)
  for (const name of ["gus", "hal"]) group.tree.addLeaf(new ForgedGroup([name]).tree.leaf(leaf(0))!)
  return group
}

test("tree-unmerged-sorted: unmerged leaves out of order", () => {
  refusesTree("tree-unmerged-sorted", alter(withUnmerged(), 7, { unmergedLeaves: [leaf(7), leaf(6)] }))
})

test("tree-unmerged-sorted: an unmerged leaf twice", () => {
  refusesTree("tree-unmerged-sorted", alter(withUnmerged(), 7, { unmergedLeaves: [leaf(6), leaf(6), leaf(7)] }))
})

test("tree-unmerged-below: an unmerged leaf is blank", () => {
  const names = [...six.slice(0, 5), "", "gus"]
  const group = new ForgedGroup(names).commitAs(0, { unmerged: new Map([[7, [5]]]) })
  refusesTree("tree-unmerged-below", group)
})

for (const index of [5, 2 ** 29, 2 ** 31 - 1, 2 ** 32 - 1]) {
  test(`tree-unmerged-below: leaf ${index} does not stand below its parent node`, () => {
    refusesTree("tree-unmerged-below", alter(new ForgedGroup(six).commitAs(0), 1, { unmergedLeaves: [leaf(index)] }))
  })
}

test("tree-unmerged-throughout: a parent node in between does not list the leaf", () => {
  // 11 was set when the member 5 was there already, the root as if it had come later.
  const group = new ForgedGroup(eight).commitAs(7).commitAs(0, { unmerged: new Map([[7, [5]]]) })
  refusesTree("tree-unmerged-throughout", group)
})

// --- Keys of parent nodes --------------------------------------------------------------------------------------------

test("tree-parent-key-unique: two parent nodes have the same key", () => {
  const group = new ForgedGroup(six)
  const { publicKey } = group.suite.hpke.deriveKeyPair(random(32))
  group.commitAs(0, { keys: new Map([[1, publicKey]]) }).commitAs(3, { keys: new Map([[5, publicKey]]) })
  refusesTree("tree-parent-key-unique", group)
})

test("tree-parent-key-unique: a parent node has the key of a leaf", () => {
  const group = new ForgedGroup(six)
  const { encryptionKey } = group.tree.leaf(leaf(4))!
  refusesTree("tree-parent-key-unique", group.commitAs(0, { keys: new Map([[1, encryptionKey]]) }))
})

test("key-encryption-valid: a parent node has a public key of 31 bytes", () => {
  refusesTree("key-encryption-valid", new ForgedGroup(six).commitAs(0, { keys: new Map([[3, random(31)]]) }))
})
