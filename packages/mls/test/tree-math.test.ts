import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { leafIndex, type NodeIndex, nodeIndex } from "../src/indexes.js"
import * as math from "../src/tree/math.js"

/** Sizes of full trees, up to the largest that the library holds. */
const leafCounts = fc.integer({ min: 0, max: 28 }).map((exponent) => 2 ** exponent)
const nodes = leafCounts.chain((leafCount) =>
  fc.nat(math.nodeCount(leafCount) - 1).map((node) => ({ leafCount, node: nodeIndex(node) })),
)
const leafPairs = leafCounts.chain((leafCount) =>
  fc.tuple(fc.constant(leafCount), fc.nat(leafCount - 1), fc.nat(leafCount - 1)),
)

test("the largest tree has room for its nodes in the bits of bitwise operators", () => {
  assert(math.nodeCount(math.LEAF_COUNT_MAX) < 2 ** 30)
})

test("both children of a node have it for a parent and each other for a sibling", () => {
  fc.assert(
    fc.property(nodes, ({ node }) => {
      fc.pre(!math.isLeaf(node))
      const [left, right] = [math.left(node), math.right(node)]
      assert(left < node && node < right)
      assert.deepEqual([math.parent(left), math.parent(right)], [node, node])
      assert.deepEqual([math.sibling(left), math.sibling(right)], [right, left])
      assert.equal(math.level(left), math.level(node) - 1)
    }),
  )
})

test("the direct path leads to the root, and the copath lies beside it", () => {
  fc.assert(
    fc.property(nodes, ({ leafCount, node }) => {
      const path = math.directPath(node, leafCount)
      const way = [node, ...path]
      assert.equal(way.at(-1), math.root(leafCount))
      assert.deepEqual(math.copath(node, leafCount), way.slice(0, -1).map(math.sibling))
      for (const above of path) assert(math.isBelow(node, above))
    }),
  )
})

test("a node is below another if and only if the other is on its way to the root", () => {
  for (const leafCount of [1, 2, 8, 32]) {
    for (let i = 0; i < math.nodeCount(leafCount); i++) {
      const way = new Set<NodeIndex>([nodeIndex(i), ...math.directPath(nodeIndex(i), leafCount)])
      for (let k = 0; k < math.nodeCount(leafCount); k++) {
        assert.equal(math.isBelow(nodeIndex(i), nodeIndex(k)), way.has(nodeIndex(k)), `${i} below ${k}`)
      }
    }
  }
})

test("the leaves below a node are those from which it is reached", () => {
  for (let k = 0; k < math.nodeCount(32); k++) {
    const below = Array.from({ length: 32 }, (_, i) => leafIndex(i)).filter((leaf) =>
      math.isBelow(math.toNode(leaf), nodeIndex(k)),
    )
    assert.deepEqual(math.leavesBelow(nodeIndex(k)), { first: below[0], last: below.at(-1) })
  }
})

test("the common ancestor of two leaves is the lowest node above both", () => {
  fc.assert(
    fc.property(leafPairs, ([leafCount, a, b]) => {
      const [left, right] = [math.toNode(leafIndex(a)), math.toNode(leafIndex(b))]
      const wayOfB = new Set([right, ...math.directPath(right, leafCount)])
      const lowest = [left, ...math.directPath(left, leafCount)].find((node) => wayOfB.has(node))
      assert.equal(math.commonAncestor(leafIndex(a), leafIndex(b)), lowest)
    }),
  )
})

test("a full tree is the smallest power of two that has room", () => {
  for (const [count, size] of [
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 4],
    [4, 4],
    [5, 8],
    [1000, 1024],
    [2 ** 28, 2 ** 28],
  ] as const) {
    assert.equal(math.fullSize(count), size)
  }
})
