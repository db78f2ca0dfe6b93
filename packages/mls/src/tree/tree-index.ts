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

  /** A node takes another's place; `undefined` stands for a blank one. What both have in common is not counted again. */
  replace(before: TreeNode | undefined, after: TreeNode | undefined): void {
    replaceKey(this.encryptionKeys, before?.encryptionKey, after?.encryptionKey)
    const [left, come] = [leafAmong(before), leafAmong(after)]
    replaceKey(this.signatureKeys, left?.signatureKey, come?.signatureKey)
    if (left !== undefined && come !== undefined && countsAlike(left, come)) return
    if (left !== undefined) this.census.remove(left)
    if (come !== undefined) this.census.add(come)
  }
}

const leafAmong = (node: TreeNode | undefined): LeafNode | undefined =>
  node !== undefined && isLeafNode(node) ? node : undefined

function replaceKey(index: KeyIndex, before: Uint8Array | undefined, after: Uint8Array | undefined): void {
  if (before !== undefined && after !== undefined && isSame(before, after)) return
  if (before !== undefined) index.remove(before)
  if (after !== undefined) index.add(after)
}

/** Public keys: the first difference decides. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
