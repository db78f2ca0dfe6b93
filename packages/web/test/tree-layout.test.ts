import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { TreeNode } from "@conclave/client/browser"
import { layoutTree, leavesBelow, levelOf } from "../src/view/tree-layout.js"

/** A tree with so many members, all parents filled. */
function treeOf(members: number): readonly TreeNode[] {
  const leafCount = 2 ** Math.ceil(Math.log2(members))
  return Array.from({ length: 2 * leafCount - 1 }, (_, nodeIndex) => {
    const isLeaf = nodeIndex % 2 === 0
    const blank = isLeaf && nodeIndex / 2 >= members
    return {
      nodeIndex,
      kind: isLeaf ? "leaf" : "parent",
      blank,
      renewedInEpoch: undefined,
      name: isLeaf && !blank ? `member-${nodeIndex / 2}` : undefined,
      own: nodeIndex === 0,
      signatureKey: undefined,
      unmergedLeaves: [],
    }
  })
}

describe("the drawing of a ratchet tree", () => {
  it("knows levels and leaves as RFC 9420 Appendix C draws them", () => {
    assert.deepEqual([0, 1, 2, 3, 7, 11, 13].map(levelOf), [0, 1, 0, 2, 3, 2, 1])
    assert.deepEqual([3, 4, 7, 13].map(leavesBelow), [
      [0, 6],
      [4, 4],
      [0, 14],
      [12, 14],
    ])
  })

  for (const members of [1, 2, 3, 4, 5, 8, 9, 33, 64, 200]) {
    it(`of ${members} keeps every node inside, apart from the others, and every name readable`, () => {
      const { nodes, edges, width, height } = layoutTree(treeOf(members))
      assert.equal(edges.length, nodes.length - 1)
      assert.ok(width <= 352, "as wide as the panel")
      for (const { x, y } of nodes) assert.ok(x >= 12 && x <= width - 12 && y >= 12 && y <= height - 12, `${x} ${y}`)
      for (const a of nodes) {
        for (const b of nodes) {
          if (a.node.nodeIndex >= b.node.nodeIndex) continue
          assert.ok(Math.hypot(a.x - b.x, a.y - b.y) >= 14, `nodes ${a.node.nodeIndex} and ${b.node.nodeIndex}`)
        }
      }
      const named = nodes.filter(({ node }) => node.name !== undefined)
      for (const { label } of named) assert.ok(label.characters >= 8 || members === 1, `${label.characters} characters`)
      for (const a of named) {
        for (const b of named) {
          if (a.node.nodeIndex >= b.node.nodeIndex || Math.abs(a.label.y - b.label.y) >= 14) continue
          const room = Math.abs(a.label.x - b.label.x) - 6 * Math.min(a.label.characters, b.label.characters)
          assert.ok(room >= 0, `the names of leaves ${a.node.nodeIndex / 2} and ${b.node.nodeIndex / 2} overlap`)
        }
      }
    })
  }

  it("puts every parent above the middle of its leaves, and connects it with its two children", () => {
    for (const members of [8, 16]) {
      const { nodes, edges, direction } = layoutTree(treeOf(members))
      const across = direction === "hanging" ? "x" : "y"
      for (const { parent } of edges) {
        const [first, last] = leavesBelow(parent.node.nodeIndex)
        assert.equal(parent[across], (nodes[first]![across] + nodes[last]![across]) / 2)
      }
      assert.equal(direction, members === 8 ? "hanging" : "lying")
    }
  })
})
