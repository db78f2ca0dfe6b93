import { leafIndex } from "../../src/indexes.js"
import { RatchetTree } from "../../src/tree/ratchet-tree.js"
import { Proposal } from "../../src/wire.js"
import { assertBytes, bytes, decodeExactly, type Hex, type Suites } from "./vector.js"

export interface TreeOperationsVector {
  readonly cipher_suite: number
  readonly tree_before: Hex
  readonly proposal: Hex
  readonly proposal_sender: number
  readonly tree_hash_before: Hex
  readonly tree_after: Hex
  readonly tree_hash_after: Hex
}

export function verify(vector: TreeOperationsVector, suites: Suites): void {
  const before = RatchetTree.decode(suites(vector.cipher_suite), bytes(vector.tree_before))
  assertBytes(before.treeHash(), vector.tree_hash_before, "tree hash before")
  const after = before.draft()
  apply(decodeExactly(Proposal, vector.proposal, "proposal"), after, vector.proposal_sender)
  assertBytes(after.encode(), vector.tree_after, "tree after")
  assertBytes(after.treeHash(), vector.tree_hash_after, "tree hash after")
  assertBytes(before.encode(), vector.tree_before, "the tree before, which a draft leaves alone")
  assertBytes(before.treeHash(), vector.tree_hash_before, "its hash")
}

function apply(proposal: Proposal, tree: RatchetTree, sender: number): void {
  if (proposal.type === "add") tree.addLeaf(proposal.keyPackage.leafNode)
  else if (proposal.type === "update") tree.updateLeaf(leafIndex(sender), proposal.leafNode)
  else if (proposal.type === "remove") {
    tree.removeLeaf(proposal.removed)
    tree.truncate()
  } else throw new TypeError(`${proposal.type} changes no tree`)
}
