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
    const signatureKeys: Uint8Array[] = []
    const encryptionKeys: Uint8Array[] = []
    const census = new Census()
    for (const node of nodes) {
      encryptionKeys.push(node.encryptionKey)
      if (!isLeafNode(node)) continue
      signatureKeys.push(node.signatureKey)
      census.add(node)
    }
    return new TreeIndex(KeyIndex.of(signatureKeys), KeyIndex.of(encryptionKeys), census)
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
