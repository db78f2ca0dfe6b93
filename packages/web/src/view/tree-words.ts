import type { TreeNode } from "@conclave/client/browser"
import { listOf, type People } from "../profile/words.js"
import { list, partWords } from "../words/words.js"
import { leavesBelow, levelOf } from "./tree-layout.js"

/** The drawing in one sentence, for those who do not see it. */
export function treeSummary(nodes: readonly TreeNode[], renewed: ReadonlySet<number>): string {
  const leaves = nodes.filter(({ kind }) => kind === "leaf")
  const parents = nodes.filter(({ kind }) => kind === "parent")
  const filled = (some: readonly TreeNode[]) => some.filter(({ blank }) => !blank).length
  const { tree } = partWords()
  const path = renewed.size === 0 ? "" : tree.path(renewed.size)
  return tree.summary([filled(leaves), leaves.length], [filled(parents), parents.length]) + path
}

interface Renewed {
  readonly renewed: ReadonlySet<number>
  readonly added: ReadonlySet<number>
  readonly epoch: bigint
  readonly people: People
}

/** What the last commit did to the tree, as one sentence. */
export function renewalText(nodes: readonly TreeNode[], { renewed, added, epoch, people }: Renewed): string {
  const { tree } = partWords()
  if (epoch === 0n) return tree.first
  if (renewed.size + added.size === 0) return tree.unseen
  const parents = nodes.filter((node) => node.kind === "parent" && renewed.has(node.nodeIndex))
  const namesIn = (indexes: ReadonlySet<number>) => [
    ...new Set(
      nodes.flatMap(({ nodeIndex, own, name }) =>
        indexes.has(nodeIndex) && name !== undefined ? [own ? tree.you : people.called(name)] : [],
      ),
    ),
  ]
  const top = parents.reduce((highest, { nodeIndex }) => Math.max(highest, levelOf(nodeIndex)), 0)
  const whole = top === levelOf((nodes.length - 1) / 2)
  const way = parents.length === 0 ? "" : tree.above(parents.length, whole)
  const path = renewed.size === 0 ? "" : tree.gave(list(namesIn(renewed)), way)
  const newcomers = added.size === 0 ? "" : tree.broughtIn(list(namesIn(added)), renewed.size > 0)
  return tree.lastCommit(path + newcomers)
}

/** One line for each node that holds a key, from the root down. */
export function treeLines(nodes: readonly TreeNode[], renewed: ReadonlySet<number>, people: People): readonly string[] {
  const { tree } = partWords()
  const nameOf = (leafNodeIndex: number) => nodes[leafNodeIndex]?.name
  return nodes
    .filter(({ blank, kind }) => !blank && kind === "parent")
    .sort((a, b) => levelOf(b.nodeIndex) - levelOf(a.nodeIndex))
    .map((node) => {
      const [first, last] = leavesBelow(node.nodeIndex)
      const below = nodes.slice(first, last + 1).flatMap(({ name }) => name ?? [])
      const unmerged = node.unmergedLeaves.flatMap((leaf) => nameOf(2 * leaf) ?? [])
      const knowing = below.filter((name) => !unmerged.includes(name))
      const rest = unmerged.length === 0 ? "" : tree.unmerged(listOf(unmerged, people))
      const fresh = renewed.has(node.nodeIndex) ? tree.fresh : ""
      return `${tree.key(listOf(knowing, people))}${fresh}${rest}.`
    })
}
