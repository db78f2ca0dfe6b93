import type { Registries } from "@conclave/codec"
import { rule } from "../errors.js"
import { type LeafIndex, leafIndex, type NodeIndex, nodeIndex } from "../indexes.js"
import { type Sliced, toEnd } from "../slices.js"
import type { CipherSuite } from "../suite/suite.js"
import type { LeafNode, Node, ParentNode } from "../wire.js"
import type { Census } from "./census.js"
import { hashMany } from "./hash-many.js"
import { leafHash, parentNodeHash } from "./hashes.js"
import type { KeyIndex } from "./key-index.js"
import * as math from "./math.js"
import { NodeHashes } from "./node-hashes.js"
import { FieldPlaces, ReceivedNodes } from "./received-nodes.js"
import { TreeIndex } from "./tree-index.js"
import { isLeafNode, PackedNodes, type TreeNode, TreeNodes, wireNode } from "./tree-nodes.js"

/**
 * The ratchet tree of one epoch (RFC 9420 §4, §7): who is in the group, and the public keys by which they are reached.
 *
 * A tree that belongs to an epoch is not changed any more; {@link draft} starts the next one. Nodes are immutable and
 * shared between epochs, and hashes are kept until something below them changes.
 */
export class RatchetTree {
  readonly suite: CipherSuite
  /** Leaves of the full tree, blank ones included: a power of two. */
  leafCount: number
  /** Nodes that differ from those of the tree from which this one was drafted. */
  readonly changed = new Set<NodeIndex>()
  readonly #nodes: TreeNodes
  readonly #hashes: NodeHashes
  /** Made when it is asked for: whoever reads a tree out of a store and sends a message needs none. */
  #index: TreeIndex | undefined
  /** While a tree that has come over the wire is checked. */
  #received: ReceivedNodes | undefined
  /** The first nodes of such a tree, which are looked at once more. */
  #read: readonly (TreeNode | undefined)[] = NONE
  /** No leaf before this one is blank. */
  #firstBlankFrom = 0
  /** No leaf from this one on is occupied: the right end of most trees is empty, and need not be searched. */
  #leafEnd: number

  private constructor(suite: CipherSuite, nodes: TreeNodes, from?: RatchetTree) {
    this.suite = suite
    this.#nodes = nodes
    this.leafCount = (nodes.length + 1) / 2
    this.#hashes = from ? from.#hashes.copy() : new NodeHashes(suite.secretSize, nodes.length)
    this.#index = from?.index.draft()
    this.#firstBlankFrom = from ? from.#firstBlankFrom : 0
    this.#leafEnd = from ? from.#leafEnd : this.#occupiedUpTo(this.leafCount)
  }

  static ofOneLeaf(suite: CipherSuite, leaf: LeafNode): RatchetTree {
    const tree = RatchetTree.blank(suite, 1)
    tree.setLeaf(leafIndex(0), leaf)
    return tree
  }

  /** `leafCount`: a power of two. */
  static blank(suite: CipherSuite, leafCount: number): RatchetTree {
    return new RatchetTree(suite, TreeNodes.blank(math.nodeCount(leafCount)))
  }

  /**
   * The tree of encoded Nodes with their indexes, those that are not blank. Nothing is validated.
   *
   * @throws DecodeError
   */
  static ofEncodedNodes(
    suite: CipherSuite,
    leafCount: number,
    nodes: Iterable<readonly [number, Uint8Array]>,
    registries?: Registries,
  ): RatchetTree {
    const count = math.nodeCount(leafCount)
    return new RatchetTree(suite, TreeNodes.of(PackedNodes.collect(nodes, count, registries), count))
  }

  /**
   * The tree of a `ratchet_tree` extension (RFC 9420 §12.4.3.3). Only its shape is checked here.
   *
   * @throws DecodeError, RuleError
   */
  static decode(...from: Parameters<typeof RatchetTree.decodeInSlices>): RatchetTree {
    return toEnd(RatchetTree.decodeInSlices(...from))
  }

  /** {@link decode}, interrupted now and then. `signatures`: is given the leaves as they are read. @throws DecodeError, RuleError */
  static *decodeInSlices(
    suite: CipherSuite,
    encoded: Uint8Array,
    registries?: Registries,
    leafCountMax = math.LEAF_COUNT_MAX,
    signatures?: ReadLeaves,
  ): Sliced<RatchetTree> {
    // Each node is read once to see that it is well-formed: that is when it is counted.
    const index = TreeIndex.empty()
    const bytes = new Uint8Array(encoded)
    const isSmall = bytes.length < SMALL_BYTES_MAX
    const places = !isSmall && suite.hash.digestAll !== undefined ? new FieldPlaces() : undefined
    const read: TreeNode[] = []
    const packed = yield* PackedNodes.decode(bytes, registries, (node, at, start) => {
      index.take(node)
      places?.note(at, node)
      const isReadOnce = signatures !== undefined && at < READ_ONCE_MAX && start < READ_ONCE_BYTES_MAX
      if (isSmall || isReadOnce) read[at] = node
      if (isSmall || signatures === undefined || !isLeafNode(node)) return
      // A tree in which a leaf stands elsewhere, or too far to the right, is refused below.
      if (at % 2 === 0 && at < 2 * leafCountMax) signatures.take(bytes, node, { index: at / 2, start })
    })
    index.finish()
    const { length, misplaced } = packed
    rule(length > 0 && packed.has(length - 1), "tree-last-node-blank")
    // RFC 9420 §7.7: a tree whose last node is a parent has nobody in a right half, and would have been truncated.
    rule(length % 2 === 1, "tree-length-odd", `${length} nodes`)
    const leafCount = math.fullSize((length + 1) / 2)
    rule(leafCount <= leafCountMax, "tree-size", `${leafCount} leaves`)
    const isSparse = leafCount > SPARSE_LEAVES_MAX && leafCount > packed.members * LEAVES_FOR_EACH_MEMBER_MAX
    rule(!isSparse, "tree-sparse", `${packed.members} members among ${leafCount} leaves`)
    rule(misplaced === undefined, "tree-node-type", `node ${misplaced}`)
    const tree = new RatchetTree(suite, TreeNodes.of(packed, math.nodeCount(leafCount), isSmall ? read : []))
    if (!isSmall) tree.#read = read
    tree.#index = index
    tree.#received = places && new ReceivedNodes(packed, places)
    return tree
  }

  /** The value of a `ratchet_tree` extension. */
  encode(): Uint8Array {
    return this.#nodes.encode()
  }

  /** A tree that starts as this one and may be changed. */
  draft(): RatchetTree {
    return new RatchetTree(this.suite, this.#nodes.copy(), this)
  }

  /** The draft has become an epoch's tree: what it changed is no news any more. */
  settle(): void {
    this.#forgetReceived()
    this.changed.clear()
    this.#index?.adopt()
  }

  // --- Reading -------------------------------------------------------------------------------------------------------

  /** How many nodes hold a signature key. */
  get signatureKeys(): KeyIndex {
    return this.index.signatureKeys
  }

  /** How many nodes hold an encryption key. */
  get encryptionKeys(): KeyIndex {
    return this.index.encryptionKeys
  }

  get census(): Census {
    return this.index.census
  }

  private get index(): TreeIndex {
    this.#index ??= TreeIndex.of(this.#present())
    return this.#index
  }

  *#present(): Generator<TreeNode> {
    for (let i = 0; i < this.#nodes.length; i++) {
      const node = this.#nodes.get(i)
      if (node !== undefined) yield node
    }
  }

  isBlank(index: NodeIndex): boolean {
    return !this.#nodes.has(index)
  }

  /** The same node may be another object the next time. */
  node(index: NodeIndex): TreeNode | undefined {
    return this.#nodes.get(index)
  }

  /** An encoded Node, or `undefined` for a blank one. */
  encodedNode(index: NodeIndex): Uint8Array | undefined {
    return this.#nodes.encodedNode(index)
  }

  /** An encoded LeafNode: a view, perhaps. */
  encodedLeaf(index: LeafIndex): Uint8Array | undefined {
    return this.#nodes.encoding(math.toNode(index))
  }

  wireNode(index: NodeIndex): Node | undefined {
    return wireNode(this.#nodes.get(index))
  }

  /** `undefined` for a blank leaf and for an index beyond the tree. */
  leaf(index: LeafIndex): LeafNode | undefined {
    // Of the members, some send and most listen: those whose leaves are asked for will be asked for again.
    return index < this.leafCount ? (this.#nodes.keep(math.toNode(index)) as LeafNode | undefined) : undefined
  }

  parentNode(index: NodeIndex): ParentNode | undefined {
    return this.#nodes.get(index) as ParentNode | undefined
  }

  /** The leaves that are not blank. None is kept: see {@link leaf}. */
  *leaves(): Generator<readonly [LeafIndex, LeafNode]> {
    for (let i = 0; i < this.#nodes.length; i += 2) {
      const node = this.#read[i] ?? this.#nodes.get(i)
      if (node !== undefined) yield [leafIndex(i / 2), node as LeafNode]
    }
  }

  /** The indexes of the leaves that are not blank. */
  *occupiedLeaves(): Generator<LeafIndex> {
    for (let i = 0; i < this.#nodes.length; i += 2) if (this.#nodes.has(i)) yield leafIndex(i / 2)
  }

  *parents(): Generator<readonly [NodeIndex, ParentNode]> {
    for (let i = 1; i < this.#nodes.length; i += 2) {
      const node = this.#read[i] ?? this.#nodes.get(i)
      if (node !== undefined) yield [nodeIndex(i), node as ParentNode]
    }
  }

  get root(): NodeIndex {
    return math.root(this.leafCount)
  }

  /** The leaf at which the next member is added: the leftmost blank one, or the first beyond the tree. */
  nextLeaf(): LeafIndex {
    let index = this.#firstBlankFrom
    while (index < this.leafCount && this.#nodes.has(index * 2)) index++
    this.#firstBlankFrom = index
    return leafIndex(index)
  }

  /**
   * RFC 9420 §4.1.1: the nodes that together cover all members below `index`, in order. Stops as soon as it has found
   * more than `limit`.
   */
  resolution(index: NodeIndex, limit = Number.POSITIVE_INFINITY): NodeIndex[] {
    const found: NodeIndex[] = []
    this.#resolve(index, limit, found)
    return found
  }

  #resolve(index: NodeIndex, limit: number, found: NodeIndex[]): void {
    if (found.length > limit) return
    if (this.#nodes.has(index)) {
      found.push(index)
      if (math.isLeaf(index)) return
      for (const leaf of this.parentNode(index)!.unmergedLeaves) found.push(math.toNode(leaf))
    } else if (!math.isLeaf(index) && !this.#isBeyondAll(index)) {
      this.#resolve(math.left(index), limit, found)
      this.#resolve(math.right(index), limit, found)
    }
  }

  /** Whether anybody is below `index`: its resolution is not empty. */
  #isPopulated(index: NodeIndex): boolean {
    if (this.#nodes.has(index)) return true
    if (math.isLeaf(index) || this.#isBeyondAll(index)) return false
    return this.#isPopulated(math.left(index)) || this.#isPopulated(math.right(index))
  }

  #isBeyondAll(index: NodeIndex): boolean {
    return math.leavesBelow(index).first >= this.#leafEnd
  }

  /** The end of what is occupied, if nothing is from leaf `end` on. */
  #occupiedUpTo(end: number): number {
    let at = end
    while (at > 0 && !this.#nodes.has((at - 1) * 2)) at--
    return at
  }

  /** RFC 9420 §4.1.2: the direct path of a leaf without the nodes whose other child has nobody below it. */
  filteredDirectPath(leaf: LeafIndex): PathStep[] {
    const steps: PathStep[] = []
    for (let child = math.toNode(leaf); child !== this.root; child = math.parent(child)) {
      const copathChild = math.sibling(child)
      if (this.#isPopulated(copathChild)) steps.push({ node: math.parent(child), copathChild })
    }
    return steps
  }

  // --- Hashes --------------------------------------------------------------------------------------------------------

  /** The tree hash of the whole tree (RFC 9420 §7.8). */
  treeHash(): Uint8Array {
    return this.nodeHash(this.root).slice()
  }

  /** Computes what {@link treeHash} would, interrupted now and then, and leaves it little to do. */
  *hashInSlices(): Sliced<void> {
    const isTogether = this.suite.hash.digestAll !== undefined
    const leaves = isTogether ? LEAVES_TOGETHER : LEAVES_IN_SLICE
    for (let first = 0; first + leaves <= this.leafCount; first += leaves) {
      this.#hashBelow(nodeIndex(2 * first + leaves - 1))
      yield
    }
    if (isTogether) this.#hashBelow(this.root)
  }

  /** The hashes that are not known of a node and below it, in one call where there are many. */
  #hashBelow(top: NodeIndex): void {
    const missing: NodeIndex[] = []
    const find = (node: NodeIndex) => {
      if (this.#hashes.has(node)) return
      if (!math.isLeaf(node)) {
        find(math.left(node))
        find(math.right(node))
      }
      missing.push(node)
    }
    find(top)
    const hashes =
      missing.length >= HASHED_TOGETHER_MIN
        ? hashMany(this.suite.hash, missing, {
            encoding: (node) => this.#nodes.encoding(node),
            hashOf: (node) => this.#hashes.get(node)!,
          })
        : undefined
    if (hashes === undefined) {
      this.nodeHash(top)
      return
    }
    const size = this.suite.secretSize
    for (const [i, node] of missing.entries()) this.#hashes.set(node, hashes.subarray(i * size, (i + 1) * size))
  }

  /** A view that is good until the tree changes. */
  nodeHash(index: NodeIndex): Uint8Array {
    const known = this.#hashes.get(index)
    if (known !== undefined) return known
    const hash = math.isLeaf(index)
      ? leafHash(this.suite, math.toLeaf(index), this.#nodes.encoding(index))
      : parentNodeHash(
          this.suite,
          this.#nodes.encoding(index),
          this.nodeHash(math.left(index)),
          this.nodeHash(math.right(index)),
        )
    this.#hashes.set(index, hash)
    return hash
  }

  // --- A tree that has come over the wire ----------------------------------------------------------------------------

  /** See {@link ReceivedNodes.linkedParents}. */
  linkedParents(): Uint8Array | undefined {
    const { digestAll, size } = this.suite.hash
    if (this.#received === undefined || digestAll === undefined) return undefined
    // Of a node whose hash is known, those of all nodes below are.
    this.nodeHash(this.root)
    return this.#received.linkedParents({ digestAll, size }, this.#hashes.all(this.#nodes.length))
  }

  #forgetReceived(): void {
    this.#received = undefined
    this.#read = NONE
  }

  // --- Changing a draft ----------------------------------------------------------------------------------------------

  /** RFC 9420 §12.1.1. */
  addLeaf(leaf: LeafNode): LeafIndex {
    const index = this.nextLeaf()
    this.reserve(index)
    for (const ancestor of math.directPath(math.toNode(index), this.leafCount)) {
      const parent = this.parentNode(ancestor)
      if (parent !== undefined) this.setParent(ancestor, withUnmergedLeaf(parent, index))
    }
    this.setLeaf(index, leaf)
    return index
  }

  /** RFC 9420 §12.1.2. */
  updateLeaf(index: LeafIndex, leaf: LeafNode): void {
    this.setLeaf(index, leaf)
    this.#blankDirectPath(index)
  }

  /** RFC 9420 §12.1.3, without the truncation: see {@link truncate}. */
  removeLeaf(index: LeafIndex): void {
    this.#set(math.toNode(index), undefined)
    this.#blankDirectPath(index)
    if (index < this.#firstBlankFrom) this.#firstBlankFrom = index
    if (index === this.#leafEnd - 1) this.#leafEnd = this.#occupiedUpTo(index)
  }

  /** RFC 9420 §7.7: halves the tree while its right half has no members. */
  truncate(): void {
    const leafCount = math.fullSize(Math.max(1, this.#leafEnd))
    if (leafCount === this.leafCount) return
    for (let i = math.nodeCount(leafCount); i < this.#nodes.length; i++) {
      if (this.#nodes.has(i)) this.#set(nodeIndex(i), undefined)
    }
    this.#nodes.resize(math.nodeCount(leafCount))
    this.#hashes.resize(math.nodeCount(leafCount))
    this.leafCount = leafCount
    if (this.#firstBlankFrom > leafCount) this.#firstBlankFrom = leafCount
  }

  /** Extends the tree until it has the leaf. */
  reserve(index: LeafIndex): void {
    while (index >= this.leafCount) this.#extend()
  }

  setLeaf(index: LeafIndex, leaf: LeafNode): void {
    this.reserve(index)
    this.#set(math.toNode(index), leaf)
    if (index >= this.#leafEnd) this.#leafEnd = index + 1
  }

  setParent(index: NodeIndex, parent: ParentNode | undefined): void {
    if (parent !== undefined || this.#nodes.has(index)) this.#set(index, parent)
  }

  #extend(): void {
    this.leafCount *= 2
    this.#nodes.resize(math.nodeCount(this.leafCount))
    this.#hashes.resize(this.#nodes.length)
  }

  #blankDirectPath(index: LeafIndex): void {
    for (const ancestor of math.directPath(math.toNode(index), this.leafCount)) this.setParent(ancestor, undefined)
  }

  #set(index: NodeIndex, node: TreeNode | undefined): void {
    this.#forgetReceived()
    this.#index?.replace(this.#nodes.get(index), node)
    this.#nodes.set(index, node)
    this.changed.add(index)
    this.#forgetHashes(index)
  }

  #forgetHashes(from: NodeIndex): void {
    // A node whose hash is unknown has only ancestors whose hashes are unknown: the way up is walked once.
    for (let at = from; ; at = math.parent(at)) {
      if (!this.#hashes.has(at) && at !== from) return
      this.#hashes.forget(at)
      if (at === this.root) return
    }
  }
}

/** A smaller tree has less than 16 leaves. Its nodes are kept as they were read, and looked at one by one. */
const SMALL_BYTES_MAX = 2048
/** Of a tree that is checked at once, so many nodes are read once: more of them would cost the collector of garbage what they save. */
const READ_ONCE_MAX = 4096
/** And no more than begin in so many bytes: lists of empty entries take a hundred times as much memory as objects. */
const READ_ONCE_BYTES_MAX = 0x10_0000
const NONE: readonly undefined[] = []

/**
 * So many leaves a tree may have however few its members are, and beyond that so many for each member. A tree is as wide
 * as its rightmost member stands, and everybody who joins has to hash each of its blank nodes (RFC 9420 §7.8), each a
 * byte on the wire: see docs/decisions/009-bounds.md.
 */
export const SPARSE_LEAVES_MAX = 0x8000
const LEAVES_FOR_EACH_MEMBER_MAX = 16
/** Powers of two: their hashes are computed without interruption, one by one and in one call. 4,096 take 5 ms. */
const LEAVES_IN_SLICE = 64
const LEAVES_TOGETHER = 4096
/** Fewer are hashed faster one by one. */
const HASHED_TOGETHER_MIN = 8

/** Is given the leaves of a tree while it is decoded. */
export interface ReadLeaves {
  /** Byte arrays of `leaf` are views into `bytes`, the same each time, in which its encoding begins at `start`. */
  take(bytes: Uint8Array, leaf: LeafNode, place: { readonly index: number; readonly start: number }): void
}

/** One node of a filtered direct path, and its child beside the path: whom the node's path secret is sent to. */
export interface PathStep {
  readonly node: NodeIndex
  readonly copathChild: NodeIndex
}

export function withUnmergedLeaf(parent: ParentNode, leaf: LeafIndex): ParentNode {
  const { unmergedLeaves } = parent
  // RFC 9420 §7.1: in increasing order.
  let at = unmergedLeaves.length
  while (at > 0 && unmergedLeaves[at - 1]! > leaf) at--
  return { ...parent, unmergedLeaves: [...unmergedLeaves.slice(0, at), leaf, ...unmergedLeaves.slice(at)] }
}
