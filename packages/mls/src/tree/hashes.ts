import { encode, Writer } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { LeafIndex, NodeIndex } from "../indexes.js"
import type { CipherSuite } from "../suite/suite.js"
import { ParentNode } from "../wire.js"
import * as math from "./math.js"
import type { RatchetTree } from "./ratchet-tree.js"

/** RFC 9420 §7.8: the hash of a TreeHashInput with an encoded LeafNode, as it came. */
export function leafHash(suite: CipherSuite, index: LeafIndex, leaf: Uint8Array | undefined): Uint8Array {
  const head = new Uint8Array(6)
  head[0] = 1
  new DataView(head.buffer).setUint32(1, index)
  head[5] = leaf === undefined ? 0 : 1
  return leaf === undefined ? suite.hash.digest(head) : suite.hash.digest(head, leaf)
}

/** RFC 9420 §7.8: the hash of a TreeHashInput with an encoded ParentNode. */
export function parentNodeHash(
  suite: CipherSuite,
  parent: Uint8Array | undefined,
  leftHash: Uint8Array,
  rightHash: Uint8Array,
): Uint8Array {
  const [left, right] = [lengthPrefix(leftHash), lengthPrefix(rightHash)]
  return parent === undefined
    ? suite.hash.digest(BLANK_PARENT, left, leftHash, right, rightHash)
    : suite.hash.digest(FILLED_PARENT, parent, left, leftHash, right, rightHash)
}

const BLANK_PARENT = new Uint8Array([2, 0])
const FILLED_PARENT = new Uint8Array([2, 1])

/** What stands in front of an `opaque<V>`. Hashes and keys have few lengths, and a large tree has many of them. */
function lengthPrefix({ length }: Uint8Array): Uint8Array {
  const known = lengthPrefixes.get(length)
  if (known !== undefined) return known
  const writer = new Writer(4)
  writer.varint(length)
  const prefix = writer.finish()
  if (lengthPrefixes.size < LENGTH_PREFIXES_MAX) lengthPrefixes.set(length, prefix)
  return prefix
}

const lengthPrefixes = new Map<number, Uint8Array>()
const LENGTH_PREFIXES_MAX = 64

/**
 * RFC 9420 §7.9: the parent hash of `parent` with the given copath child. `originalSiblingHash` must be the tree hash
 * of that child as it was when `parent` was set: see {@link originalTreeHash}.
 */
export function parentHash(suite: CipherSuite, parent: ParentNode, originalSiblingHash: Uint8Array): Uint8Array {
  const { encryptionKey, parentHash } = parent
  return suite.hash.digest(
    lengthPrefix(encryptionKey),
    encryptionKey,
    lengthPrefix(parentHash),
    parentHash,
    lengthPrefix(originalSiblingHash),
    originalSiblingHash,
  )
}

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
  const { first, last } = math.leavesBelow(child)
  const unmerged = new Set<NodeIndex>()
  for (const leaf of parent.unmergedLeaves) if (leaf >= first && leaf <= last) unmerged.add(math.toNode(leaf))
  // D is what is left of the resolution without the parent's unmerged leaves: exactly one node.
  const resolution = tree.resolution(child, unmerged.size + 1)
  if (resolution.length !== unmerged.size + 1) return false
  const rest = resolution.filter((node) => !unmerged.has(node))
  if (rest.length !== 1) return false
  const linked = parentHashOf(tree, rest[0]!)
  if (linked === undefined) return false
  return equalBytes(linked, parentHash(tree.suite, parent, originalTreeHash(tree, sibling, parent.unmergedLeaves)))
}

/** The `parent_hash` field of a node that has one. */
export function parentHashOf(tree: RatchetTree, index: NodeIndex): Uint8Array | undefined {
  const node = tree.node(index)
  if (node === undefined) return undefined
  if (!("signatureKey" in node)) return node.parentHash
  return node.leafNodeSource.type === "commit" ? node.leafNodeSource.parentHash : undefined
}
