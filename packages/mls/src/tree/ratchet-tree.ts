import { decode, encode, type Registries } from "@conclave/codec"
import { rule } from "../errors.js"
import { type LeafIndex, leafIndex, type NodeIndex, nodeIndex } from "../indexes.js"
import type { CipherSuite } from "../suite/suite.js"
import { type LeafNode, type Node, type ParentNode, RatchetTreeNodes } from "../wire.js"
import { Census } from "./census.js"
import { leafHash, parentNodeHash } from "./hashes.js"
import { KeyIndex } from "./key-index.js"
import * as math from "./math.js"
import { NodeHashes } from "./node-hashes.js"
import { PagedArray } from "./pages.js"

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
  readonly #nodes: PagedArray<LeafNode | ParentNode>
  readonly #hashes: NodeHashes
  /** How many nodes hold a signature key or an encryption key. */
  readonly signatureKeys: KeyIndex
  readonly encryptionKeys: KeyIndex
  readonly census: Census
  /** No leaf before this one is blank. */
  #firstBlankFrom = 0

  private constructor(suite: CipherSuite, nodes: PagedArray<LeafNode | ParentNode>, from?: RatchetTree) {
    this.suite = suite
    this.#nodes = nodes
    this.leafCount = (nodes.length + 1) / 2
    this.#hashes = from ? from.#hashes.copy() : new NodeHashes(suite.secretSize, nodes.length)
    this.signatureKeys = from ? from.signatureKeys.draft() : new KeyIndex()
    this.encryptionKeys = from ? from.encryptionKeys.draft() : new KeyIndex()
    this.census = from ? from.census.draft() : new Census()
    this.#firstBlankFrom = from ? from.#firstBlankFrom : 0
  }

  static ofOneLeaf(suite: CipherSuite, leaf: LeafNode): RatchetTree {
    const tree = new RatchetTree(suite, PagedArray.of<LeafNode | ParentNode>([undefined]))
    tree.setLeaf(leafIndex(0), leaf)
    return tree
  }

  /** From nodes in array order; its length must be one less than a power of two. Nothing is validated. */
  static ofNodes(suite: CipherSuite, nodes: readonly (LeafNode | ParentNode | undefined)[]): RatchetTree {
    const tree = new RatchetTree(suite, PagedArray.of(nodes))
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i]
      if (node !== undefined) tree.#enter(node)
    }
    return tree
  }

  /**
   * The tree of a `ratchet_tree` extension (RFC 9420 §12.4.3.3). Only its shape is checked here.
   *
   * @throws DecodeError, RuleError
   */
  static decode(
    suite: CipherSuite,
    bytes: Uint8Array,
    registries?: Registries,
    leafCountMax = math.LEAF_COUNT_MAX,
  ): RatchetTree {
    const nodes = decode(RatchetTreeNodes, bytes, { registries })
    rule(nodes.length > 0 && nodes.at(-1) !== undefined, "tree-last-node-blank")
    // RFC 9420 §7.7: a tree whose last node is a parent has nobody in a right half, and would have been truncated.
    rule(nodes.length % 2 === 1, "tree-length-odd", `${nodes.length} nodes`)
    const leafCount = math.fullSize((nodes.length + 1) / 2)
    rule(leafCount <= leafCountMax, "tree-size", `${leafCount} leaves`)
    const full: (LeafNode | ParentNode | undefined)[] = new Array(math.nodeCount(leafCount)).fill(undefined)
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i]
      if (node === undefined) continue
      rule((node.type === "leaf") === math.isLeaf(nodeIndex(i)), "tree-node-type", `node ${i} is a ${node.type}`)
      full[i] = node.type === "leaf" ? node.leafNode : node.parentNode
    }
    return RatchetTree.ofNodes(suite, full)
  }

  /** The value of a `ratchet_tree` extension. */
  encode(): Uint8Array {
    let end = this.#nodes.length
    while (end > 0 && this.#nodes.get(end - 1) === undefined) end--
    const nodes: (Node | undefined)[] = []
    for (let i = 0; i < end; i++) nodes.push(this.wireNode(nodeIndex(i)))
    return encode(RatchetTreeNodes, nodes)
  }

  /** A tree that starts as this one and may be changed. */
  draft(): RatchetTree {
    return new RatchetTree(this.suite, this.#nodes.copy(), this)
  }

  /** The draft has become an epoch's tree: what it changed is no news any more. */
  settle(): void {
    this.changed.clear()
    this.signatureKeys.adopt()
    this.encryptionKeys.adopt()
  }

  // --- Reading -------------------------------------------------------------------------------------------------------

  node(index: NodeIndex): LeafNode | ParentNode | undefined {
    return this.#nodes.get(index)
  }

  wireNode(index: NodeIndex): Node | undefined {
    const node = this.#nodes.get(index)
    if (node === undefined) return undefined
    return isLeafNode(node) ? { type: "leaf", leafNode: node } : { type: "parent", parentNode: node }
  }

  /** `undefined` for a blank leaf and for an index beyond the tree. */
  leaf(index: LeafIndex): LeafNode | undefined {
    return index < this.leafCount ? (this.#nodes.get(math.toNode(index)) as LeafNode | undefined) : undefined
  }

  parentNode(index: NodeIndex): ParentNode | undefined {
    return this.#nodes.get(index) as ParentNode | undefined
  }

  *leaves(): Generator<readonly [LeafIndex, LeafNode]> {
    for (let i = 0; i < this.#nodes.length; i += 2) {
      const node = this.#nodes.get(i)
      if (node !== undefined) yield [leafIndex(i / 2), node as LeafNode]
    }
  }

  *parents(): Generator<readonly [NodeIndex, ParentNode]> {
    for (let i = 1; i < this.#nodes.length; i += 2) {
      const node = this.#nodes.get(i)
      if (node !== undefined) yield [nodeIndex(i), node as ParentNode]
    }
  }

  get root(): NodeIndex {
    return math.root(this.leafCount)
  }

  /** The leaf at which the next member is added: the leftmost blank one, or the first beyond the tree. */
  nextLeaf(): LeafIndex {
    let index = this.#firstBlankFrom
    while (index < this.leafCount && this.#nodes.get(index * 2) !== undefined) index++
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
    const node = this.#nodes.get(index)
    if (node !== undefined) {
      found.push(index)
      if (!isLeafNode(node)) for (const leaf of node.unmergedLeaves) found.push(math.toNode(leaf))
    } else if (!math.isLeaf(index)) {
      this.#resolve(math.left(index), limit, found)
      this.#resolve(math.right(index), limit, found)
    }
  }

  /** Whether anybody is below `index`: its resolution is not empty. */
  #isPopulated(index: NodeIndex): boolean {
    if (this.#nodes.get(index) !== undefined) return true
    if (math.isLeaf(index)) return false
    return this.#isPopulated(math.left(index)) || this.#isPopulated(math.right(index))
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

  /** A view that is good until the tree changes. */
  nodeHash(index: NodeIndex): Uint8Array {
    const known = this.#hashes.get(index)
    if (known !== undefined) return known
    const hash = math.isLeaf(index)
      ? leafHash(this.suite, math.toLeaf(index), this.#nodes.get(index) as LeafNode | undefined)
      : parentNodeHash(
          this.suite,
          this.parentNode(index),
          this.nodeHash(math.left(index)),
          this.nodeHash(math.right(index)),
        )
    this.#hashes.set(index, hash)
    return hash
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
  }

  /** RFC 9420 §7.7: halves the tree while its right half has no members. */
  truncate(): void {
    let last = this.#nodes.length - 1
    while (last > 0 && this.#nodes.get(last) === undefined) last -= 2
    const leafCount = math.fullSize(last / 2 + 1)
    if (leafCount === this.leafCount) return
    for (let i = math.nodeCount(leafCount); i < this.#nodes.length; i++) {
      if (this.#nodes.get(i) !== undefined) this.#set(nodeIndex(i), undefined)
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
  }

  setParent(index: NodeIndex, parent: ParentNode | undefined): void {
    if (parent !== undefined || this.#nodes.get(index) !== undefined) this.#set(index, parent)
  }

  #extend(): void {
    this.leafCount *= 2
    this.#nodes.resize(math.nodeCount(this.leafCount))
    this.#hashes.resize(this.#nodes.length)
  }

  #blankDirectPath(index: LeafIndex): void {
    for (const ancestor of math.directPath(math.toNode(index), this.leafCount)) this.setParent(ancestor, undefined)
  }

  #set(index: NodeIndex, node: LeafNode | ParentNode | undefined): void {
    const before = this.#nodes.get(index)
    if (before !== undefined) this.#leave(before)
    if (node !== undefined) this.#enter(node)
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

  #enter(node: LeafNode | ParentNode): void {
    this.encryptionKeys.add(node.encryptionKey)
    if (!isLeafNode(node)) return
    this.signatureKeys.add(node.signatureKey)
    this.census.add(node)
  }

  #leave(node: LeafNode | ParentNode): void {
    this.encryptionKeys.remove(node.encryptionKey)
    if (!isLeafNode(node)) return
    this.signatureKeys.remove(node.signatureKey)
    this.census.remove(node)
  }
}

/** One node of a filtered direct path, and its child beside the path: whom the node's path secret is sent to. */
export interface PathStep {
  readonly node: NodeIndex
  readonly copathChild: NodeIndex
}

export function isLeafNode(node: LeafNode | ParentNode): node is LeafNode {
  return "signatureKey" in node
}

export function withUnmergedLeaf(parent: ParentNode, leaf: LeafIndex): ParentNode {
  const { unmergedLeaves } = parent
  // RFC 9420 §7.1: in increasing order.
  let at = unmergedLeaves.length
  while (at > 0 && unmergedLeaves[at - 1]! > leaf) at--
  return { ...parent, unmergedLeaves: [...unmergedLeaves.slice(0, at), leaf, ...unmergedLeaves.slice(at)] }
}
