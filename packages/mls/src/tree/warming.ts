import { type LeafIndex, type NodeIndex, nodeIndex } from "../indexes.js"
import * as math from "./math.js"
import type { RatchetTree } from "./ratchet-tree.js"

/**
 * Which members' commits fill the blank parents of a tree soonest, the most useful first, at most `countMax` of them.
 *
 * After many members were added at once, nearly all parents are blank and a commit is encrypted to every member by
 * itself. Each commit fills its committer's way to the root: the first of this order fills the root, the next two the
 * nodes below it, and so on, so that the cost of a commit halves with each level that is full.
 */
export function warmingOrder(tree: RatchetTree, countMax: number): LeafIndex[] {
  const populated = populatedNodes(tree)
  const filled = new Set<NodeIndex>()
  const order: LeafIndex[] = []
  let level: NodeIndex[] = [tree.root]
  while (level.length > 0 && order.length < countMax) {
    const below: NodeIndex[] = []
    for (const node of level) {
      if (math.isLeaf(node) || populated[node] === 0) continue
      const [left, right] = [math.left(node), math.right(node)]
      below.push(left, right)
      // RFC 9420 §4.1.2: a node with nobody on one side is on nobody's filtered direct path.
      const isFillable = populated[left] === 1 && populated[right] === 1
      if (!isFillable || !tree.isBlank(node) || filled.has(node) || order.length >= countMax) continue
      const leaf = firstLeaf(node, populated)
      order.push(leaf)
      for (const ancestor of math.directPath(math.toNode(leaf), tree.leafCount)) filled.add(ancestor)
    }
    level = below
  }
  return order
}

/** 1 for every node that is or has a member below it. */
function populatedNodes(tree: RatchetTree): Uint8Array {
  const populated = new Uint8Array(math.nodeCount(tree.leafCount))
  for (const leaf of tree.occupiedLeaves()) {
    populated[math.toNode(leaf)] = 1
    for (let at = math.toNode(leaf); at !== tree.root; ) {
      at = math.parent(at)
      if (populated[at] === 1) break
      populated[at] = 1
    }
  }
  return populated
}

function firstLeaf(from: NodeIndex, populated: Uint8Array): LeafIndex {
  let at = nodeIndex(from)
  while (!math.isLeaf(at)) at = populated[math.left(at)] === 1 ? math.left(at) : math.right(at)
  return math.toLeaf(at)
}
