import { type LeafIndex, nodeIndex } from "../indexes.js"
import * as math from "../tree/math.js"
import type { RatchetTree } from "../tree/ratchet-tree.js"
import { isLeafNode } from "../tree/tree-nodes.js"
import { memberOf } from "./epoch.js"
import type { Member } from "./types.js"

/** A node of the tree as an application may draw it. */
export interface TreeNodeView {
  /** Its place in the array of the tree (RFC 9420 Appendix C). */
  readonly nodeIndex: number
  readonly kind: "leaf" | "parent"
  readonly blank: boolean
  /** The public encryption key: it changes when the node is renewed. */
  readonly key?: Uint8Array
  readonly unmergedLeaves: readonly LeafIndex[]
  readonly member?: Member
}

/** Those of the nodes that are in the tree. */
export function viewNodes(tree: RatchetTree, indexes: Iterable<number>): TreeNodeView[] {
  const views: TreeNodeView[] = []
  for (const index of indexes) if (index < math.nodeCount(tree.leafCount)) views.push(viewNode(tree, index))
  return views
}

function viewNode(tree: RatchetTree, at: number): TreeNodeView {
  const index = nodeIndex(at)
  const node = tree.node(index)
  const kind = math.isLeaf(index) ? "leaf" : "parent"
  if (node === undefined) return { nodeIndex: at, kind, blank: true, unmergedLeaves: [] }
  if (!isLeafNode(node)) {
    return { nodeIndex: at, kind, blank: false, key: node.encryptionKey, unmergedLeaves: node.unmergedLeaves }
  }
  const member = memberOf(math.toLeaf(index), node)
  return { nodeIndex: at, kind, blank: false, key: node.encryptionKey, unmergedLeaves: [], member }
}
