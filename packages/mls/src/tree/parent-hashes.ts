import { encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { LeafIndex, NodeIndex } from "../indexes.js"
import { ParentNode } from "../wire.js"
import { leafHash, parentHash, parentNodeHash } from "./hashes.js"
import * as math from "./math.js"
import type { RatchetTree } from "./ratchet-tree.js"
import { isLeafNode, type TreeNode } from "./tree-nodes.js"

/** RFC 9420 §7.9: the tree hash of `node` without the leaves of `unmerged` that are below it. */
export function originalTreeHash(tree: RatchetTree, node: NodeIndex, unmerged: readonly LeafIndex[]): Uint8Array {
  const { first, last } = math.leavesBelow(node)
  const here = unmerged.filter((leaf) => leaf >= first && leaf <= last)
  if (here.length === 0) return tree.nodeHash(node)
  if (math.isLeaf(node)) return leafHash(tree.suite, math.toLeaf(node), undefined)
  const parent = tree.parentNode(node)
  const gone = new Set(here)
  const unmergedLeaves = parent?.unmergedLeaves.filter((leaf) => !gone.has(leaf))
  return parentNodeHash(
    tree.suite,
    parent && encode(ParentNode, { ...parent, unmergedLeaves: unmergedLeaves! }),
    originalTreeHash(tree, math.left(node), here),
    originalTreeHash(tree, math.right(node), here),
  )
}

/** RFC 9420 §7.9.2: whether `parent`, at `index`, was set in one UpdatePath with exactly one node below it. */
export function isParentHashValid(tree: RatchetTree, index: NodeIndex, parent: ParentNode): boolean {
  const left = math.left(index)
  const right = math.right(index)
  const fromLeft = isLinkedTo(tree, parent, left, right)
  const fromRight = isLinkedTo(tree, parent, right, left)
  return fromLeft !== fromRight
}

function isLinkedTo(tree: RatchetTree, parent: ParentNode, child: NodeIndex, sibling: NodeIndex): boolean {
  // Most parents have no unmerged leaves, and most children are not blank: then the child is all of its resolution, or it
  // is more than one node.
  const node = parent.unmergedLeaves.length === 0 ? tree.node(child) : undefined
  if (node !== undefined) {
    const isAlone = isLeafNode(node) || node.unmergedLeaves.length === 0
    return isAlone && isHashOf(tree, parent, parentHashIn(node), sibling)
  }
  const { first, last } = math.leavesBelow(child)
  const unmerged = new Set<NodeIndex>()
  for (const leaf of parent.unmergedLeaves) if (leaf >= first && leaf <= last) unmerged.add(math.toNode(leaf))
  // D is what is left of the resolution without the parent's unmerged leaves: exactly one node.
  const resolution = tree.resolution(child, unmerged.size + 1)
  if (resolution.length !== unmerged.size + 1) return false
  const rest = resolution.filter((node) => !unmerged.has(node))
  if (rest.length !== 1) return false
  return isHashOf(tree, parent, parentHashOf(tree, rest[0]!), sibling)
}

function isHashOf(tree: RatchetTree, parent: ParentNode, linked: Uint8Array | undefined, sibling: NodeIndex): boolean {
  if (linked === undefined) return false
  return equalBytes(linked, parentHash(tree.suite, parent, originalTreeHash(tree, sibling, parent.unmergedLeaves)))
}

/** The `parent_hash` field of a node that has one. */
export function parentHashOf(tree: RatchetTree, index: NodeIndex): Uint8Array | undefined {
  const node = tree.node(index)
  return node && parentHashIn(node)
}

function parentHashIn(node: TreeNode): Uint8Array | undefined {
  if (!isLeafNode(node)) return node.parentHash
  return node.leafNodeSource.type === "commit" ? node.leafNodeSource.parentHash : undefined
}
