import { type LeafIndex, leafIndex, type NodeIndex, nodeIndex } from "../indexes.js"

/*
 * RFC 9420 Appendix C. The array of a tree with eight leaves; a node's level is the number of ones at its end:
 *
 *                               7
 *               3                               11
 *       1               5               9               13
 *   0       2       4       6       8       10      12      14
 *
 * Leaf i is node 2i. Leaf indexes reach 2³²−1, so node indexes do not fit in the 32 bits of bitwise operators: they are
 * used only below 2³⁰ (`LEAF_COUNT_MAX`), which everything that comes from outside is held to first.
 */

/** No group of this library has more leaves than this: 2²⁸. */
export const LEAF_COUNT_MAX = 0x1000_0000

export const toNode = (leaf: LeafIndex): NodeIndex => nodeIndex(leaf * 2)
export const toLeaf = (node: NodeIndex): LeafIndex => leafIndex(node / 2)
export const isLeaf = (node: NodeIndex): boolean => node % 2 === 0

/** Nodes of a tree with `leafCount` leaves, a power of two. */
export const nodeCount = (leafCount: number): number => 2 * leafCount - 1

/** The smallest full tree, a power of two, that has `count` leaves. */
export function fullSize(count: number): number {
  let size = 1
  while (size < count) size *= 2
  return size
}

export const root = (leafCount: number): NodeIndex => nodeIndex(leafCount - 1)

export function level(node: NodeIndex): number {
  // The ones at the end of `node` are the zeros at the end of its successor.
  return 31 - Math.clz32((node + 1) & -(node + 1))
}

export function left(parent: NodeIndex): NodeIndex {
  return nodeIndex(parent ^ (1 << (level(parent) - 1)))
}

export function right(parent: NodeIndex): NodeIndex {
  return nodeIndex(parent ^ (3 << (level(parent) - 1)))
}

/** The parent of any node but the root. */
export function parent(node: NodeIndex): NodeIndex {
  const k = level(node)
  return nodeIndex((node | (1 << k)) & ~(1 << (k + 1)))
}

/** The other child of the parent. */
export function sibling(node: NodeIndex): NodeIndex {
  return nodeIndex(node ^ (1 << (level(node) + 1)))
}

/** The parents of `node` from the lowest to the root. */
export function directPath(node: NodeIndex, leafCount: number): NodeIndex[] {
  const top = root(leafCount)
  const path: NodeIndex[] = []
  for (let at = node; at !== top; ) {
    at = parent(at)
    path.push(at)
  }
  return path
}

/** The siblings of `node` and of its direct path, without the root. */
export function copath(node: NodeIndex, leafCount: number): NodeIndex[] {
  const top = root(leafCount)
  const path: NodeIndex[] = []
  for (let at = node; at !== top; at = parent(at)) path.push(sibling(at))
  return path
}

/** Whether `node` is `ancestor` or stands below it. */
export function isBelow(node: NodeIndex, ancestor: NodeIndex): boolean {
  const reach = (1 << level(ancestor)) - 1
  return node >= ancestor - reach && node <= ancestor + reach
}

/** The lowest node that both leaves stand below. */
export function commonAncestor(a: LeafIndex, b: LeafIndex): NodeIndex {
  const x = toNode(a)
  const y = toNode(b)
  if (x === y) return x
  const k = 32 - Math.clz32(x ^ y)
  return nodeIndex(((x >> k) << k) + (1 << (k - 1)) - 1)
}

/** The first and the last leaf below a node. */
export function leavesBelow(node: NodeIndex): { first: LeafIndex; last: LeafIndex } {
  const reach = (1 << level(node)) - 1
  return { first: leafIndex((node - reach) / 2), last: leafIndex((node + reach) / 2) }
}
