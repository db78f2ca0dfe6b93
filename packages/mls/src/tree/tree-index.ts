import type { LeafNode } from "../wire.js"
import { Census } from "./census.js"
import { KeyIndex } from "./key-index.js"
import { isLeafNode, type TreeNode } from "./tree-nodes.js"

/** What is known of a tree's nodes without looking at each: see {@link KeyIndex} and {@link Census}. */
export class TreeIndex {
  readonly signatureKeys: KeyIndex
  readonly encryptionKeys: KeyIndex
  readonly census: Census

  private constructor(signatureKeys: KeyIndex, encryptionKeys: KeyIndex, census: Census) {
    this.signatureKeys = signatureKeys
    this.encryptionKeys = encryptionKeys
    this.census = census
  }

  static of(nodes: Iterable<TreeNode>): TreeIndex {
    const index = TreeIndex.empty()
    for (const node of nodes) index.take(node)
    return index
  }

  static empty(): TreeIndex {
    return new TreeIndex(new KeyIndex(), new KeyIndex(), new Census())
  }

  /** Takes in a node of the tree that the index is first made for. */
  take(node: TreeNode): void {
    this.encryptionKeys.take(node.encryptionKey)
    if (!isLeafNode(node)) return
    this.signatureKeys.take(node.signatureKey)
    this.census.add(node)
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
