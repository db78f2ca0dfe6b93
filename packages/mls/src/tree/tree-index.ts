import type { LeafNode } from "../wire.js"
import { Census, countsAlike } from "./census.js"
import { KeyIndex } from "./key-index.js"
import { isLeafNode, type TreeNode } from "./tree-nodes.js"

/** What is known of a tree's nodes without looking at each: see {@link KeyIndex} and {@link Census}. */
export class TreeIndex {
  readonly signatureKeys: KeyIndex
  readonly encryptionKeys: KeyIndex
  readonly census: Census
  /** Leaves that were taken in one after the other, are counted alike, and have not been counted yet. */
  #run: { readonly leaf: LeafNode; count: number } | undefined

  private constructor(signatureKeys: KeyIndex, encryptionKeys: KeyIndex, census: Census) {
    this.signatureKeys = signatureKeys
    this.encryptionKeys = encryptionKeys
    this.census = census
  }

  static of(nodes: Iterable<TreeNode>): TreeIndex {
    const index = TreeIndex.empty()
    for (const node of nodes) index.take(node)
    index.finish()
    return index
  }

  static empty(): TreeIndex {
    return new TreeIndex(new KeyIndex(), new KeyIndex(), new Census())
  }

  /** Takes in a node of the tree that the index is first made for. After the last, {@link finish} is called. */
  take(node: TreeNode): void {
    this.encryptionKeys.take(node.encryptionKey)
    if (!isLeafNode(node)) return
    this.signatureKeys.take(node.signatureKey)
    if (this.#run !== undefined && countsAlike(this.#run.leaf, node)) {
      this.#run.count++
      return
    }
    this.finish()
    this.#run = { leaf: node, count: 1 }
  }

  finish(): void {
    if (this.#run !== undefined) this.census.add(this.#run.leaf, this.#run.count)
    this.#run = undefined
  }

  draft(): TreeIndex {
    return new TreeIndex(this.signatureKeys.draft(), this.encryptionKeys.draft(), this.census.draft())
  }

  /** See {@link KeyIndex.adopt}. */
  adopt(): void {
    this.signatureKeys.adopt()
    this.encryptionKeys.adopt()
    this.census.adopt()
  }

  add(node: TreeNode): void {
    this.encryptionKeys.add(node.encryptionKey)
    if (isLeafNode(node)) this.#change(node, "add")
  }

  remove(node: TreeNode): void {
    this.encryptionKeys.remove(node.encryptionKey)
    if (isLeafNode(node)) this.#change(node, "remove")
  }

  #change(leaf: LeafNode, change: "add" | "remove"): void {
    this.signatureKeys[change](leaf.signatureKey)
    this.census[change](leaf)
  }
}
