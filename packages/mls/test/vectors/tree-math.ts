import assert from "node:assert/strict"
import { type NodeIndex, nodeIndex } from "../../src/indexes.js"
import * as math from "../../src/tree/math.js"

type Neighbours = readonly (number | null)[]

export interface TreeMathVector {
  readonly n_leaves: number
  readonly n_nodes: number
  readonly root: number
  readonly left: Neighbours
  readonly right: Neighbours
  readonly parent: Neighbours
  readonly sibling: Neighbours
}

export function verify(vector: TreeMathVector): void {
  const root = math.root(vector.n_leaves)
  assert.equal(math.nodeCount(vector.n_leaves), vector.n_nodes, "nodes")
  assert.equal(root, vector.root, "root")
  assert.equal(vector.left.length, vector.n_nodes)
  for (let i = 0; i < vector.n_nodes; i++) {
    const node = nodeIndex(i)
    const unlessLeaf = (child: (of: NodeIndex) => NodeIndex) => (math.isLeaf(node) ? null : child(node))
    const unlessRoot = (neighbour: (of: NodeIndex) => NodeIndex) => (node === root ? null : neighbour(node))
    assert.equal(unlessLeaf(math.left), vector.left[i], `left of ${i}`)
    assert.equal(unlessLeaf(math.right), vector.right[i], `right of ${i}`)
    assert.equal(unlessRoot(math.parent), vector.parent[i], `parent of ${i}`)
    assert.equal(unlessRoot(math.sibling), vector.sibling[i], `sibling of ${i}`)
  }
}
