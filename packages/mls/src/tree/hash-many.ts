import { Writer } from "@conclave/codec"
import type { Hash, Spans } from "@conclave/crypto"
import type { NodeIndex } from "../indexes.js"
import { lengthPrefix } from "./hashes.js"
import * as math from "./math.js"

/** What tree hashes are of. */
export interface HashedNodes {
  /** An encoded LeafNode or ParentNode, `undefined` for a blank node. */
  encoding(node: NodeIndex): Uint8Array | undefined
  /** The hash of a node that is none of those to be hashed. */
  hashOf(node: NodeIndex): Uint8Array
}

/**
 * RFC 9420 §7.8: the tree hashes of many nodes in one call, one behind the other; `undefined` where the provider has no such call.
 * Of a node that is to be hashed, the children are as well, and come before it, or have a hash.
 */
export function hashMany(hash: Hash, nodes: readonly NodeIndex[], tree: HashedNodes): Uint8Array | undefined {
  return hash.digestAll?.(inputs(hash.size, nodes, tree), nodes.length)
}

function inputs(size: number, nodes: readonly NodeIndex[], tree: HashedNodes): Spans {
  const prefix = lengthPrefix(size)
  const places = new Map<NodeIndex, number>()
  const writer = new Writer(nodes.length * NODE_BYTES)
  const rows = new Uint32Array(nodes.length * PARENT_WORDS)
  /** Words that speak of a digest: where they begin is known in the end. */
  const digests: number[] = []
  let length = 0
  const add = (word: number) => {
    rows[length++] = word
  }
  const child = (node: NodeIndex) => {
    const place = places.get(node)
    if (place !== undefined) {
      digests.push(length)
      add(place * size)
    } else {
      add(writer.length)
      writer.bytes(tree.hashOf(node))
    }
    add(size)
  }
  for (const [i, node] of nodes.entries()) {
    const encoding = tree.encoding(node)
    const isLeaf = math.isLeaf(node)
    add(i)
    add(isLeaf ? 1 : 4)
    const start = writer.length
    writer.uint8(isLeaf ? 1 : 2)
    if (isLeaf) writer.uint32(math.toLeaf(node))
    writer.uint8(encoding === undefined ? 0 : 1)
    if (encoding !== undefined) writer.bytes(encoding)
    if (!isLeaf) writer.bytes(prefix)
    const end = writer.length
    add(start)
    add(end - start)
    if (!isLeaf) {
      child(math.left(node))
      // The same prefix again.
      add(end - prefix.length)
      add(prefix.length)
      child(math.right(node))
    }
    places.set(node, i)
  }
  const memory = writer.view()
  for (const at of digests) rows[at]! += memory.length
  return { memory, beside: NOTHING, rows: rows.subarray(0, length) }
}

/** As many as a node has about, with what is around it. */
const NODE_BYTES = 192
/** A place, a count, and four pieces. */
const PARENT_WORDS = 10
const NOTHING = new Uint8Array(0)
