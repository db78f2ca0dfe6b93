import type { TreeNode } from "@conclave/client"
import type { Renewal } from "./records.js"

/** A leaf that was blank, or somebody else's, is a newcomer's, and no part of the committer's path. */
export function renewalOf(before: readonly TreeNode[], after: readonly TreeNode[], epoch: bigint): Renewal | undefined {
  const isAdded = ({ kind, nodeIndex, name }: TreeNode) => kind === "leaf" && before[nodeIndex]?.name !== name
  const fresh = after.filter((node) => node.renewedInEpoch === epoch)
  if (fresh.length === 0) return undefined
  const indexes = (nodes: readonly TreeNode[]) => nodes.map(({ nodeIndex }) => nodeIndex)
  return {
    epoch: epoch.toString(),
    nodes: indexes(fresh.filter((node) => !isAdded(node))),
    added: indexes(fresh.filter(isAdded)),
  }
}
