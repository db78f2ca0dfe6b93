import type { TreeNode } from "@conclave/client/browser"
import { list, listOf, type People } from "../profile/words.js"
import { leavesBelow, levelOf } from "./tree-layout.js"

/** The drawing in one sentence, for those who do not see it. */
export function treeSummary(nodes: readonly TreeNode[], renewed: ReadonlySet<number>): string {
  const leaves = nodes.filter(({ kind }) => kind === "leaf")
  const parents = nodes.filter(({ kind }) => kind === "parent")
  const filled = (some: readonly TreeNode[]) => some.filter(({ blank }) => !blank).length
  const path = renewed.size === 0 ? "" : ` The last commit renewed ${count(renewed.size, "node")}.`
  return `Ratchet tree: ${filled(leaves)} of ${count(leaves.length, "leaf", "leaves")} and ${filled(parents)} of ${count(parents.length, "parent node")} are filled.${path}`
}

interface Renewed {
  readonly renewed: ReadonlySet<number>
  readonly added: ReadonlySet<number>
  readonly epoch: bigint
  readonly people: People
}

/** What the last commit did to the tree, as one sentence. */
export function renewalText(nodes: readonly TreeNode[], { renewed, added, epoch, people }: Renewed): string {
  if (epoch === 0n) return "This is the first epoch: there has been no commit yet."
  if (renewed.size + added.size === 0) return "This device has not seen the commit that began this epoch."
  const parents = nodes.filter((node) => node.kind === "parent" && renewed.has(node.nodeIndex))
  const namesIn = (indexes: ReadonlySet<number>) => [
    ...new Set(
      nodes.flatMap(({ nodeIndex, own, name }) =>
        indexes.has(nodeIndex) && name !== undefined ? [own ? "you" : people.called(name)] : [],
      ),
    ),
  ]
  const top = parents.reduce((highest, { nodeIndex }) => Math.max(highest, levelOf(nodeIndex)), 0)
  const whole = top === levelOf((nodes.length - 1) / 2)
  const way =
    parents.length === 0 ? "" : ` and ${count(parents.length, "node")} above${whole ? ", up to the root" : ""}`
  const newcomers =
    added.size === 0 ? "" : `${renewed.size === 0 ? "brought in" : ", and brought in"} ${list(namesIn(added))}`
  const path = renewed.size === 0 ? "" : `gave new keys to ${list(namesIn(renewed))}${way}`
  return `The last commit ${path}${newcomers}.`
}

/** One line for each node that holds a key, from the root down. */
export function treeLines(nodes: readonly TreeNode[], renewed: ReadonlySet<number>, people: People): readonly string[] {
  const nameOf = (leafNodeIndex: number) => nodes[leafNodeIndex]?.name
  return nodes
    .filter(({ blank, kind }) => !blank && kind === "parent")
    .sort((a, b) => levelOf(b.nodeIndex) - levelOf(a.nodeIndex))
    .map((node) => {
      const [first, last] = leavesBelow(node.nodeIndex)
      const below = nodes.slice(first, last + 1).flatMap(({ name }) => name ?? [])
      const unmerged = node.unmergedLeaves.flatMap((leaf) => nameOf(2 * leaf) ?? [])
      const knowing = below.filter((name) => !unmerged.includes(name))
      const rest = unmerged.length === 0 ? "" : `; ${listOf(unmerged, people)} will learn the next one`
      const fresh = renewed.has(node.nodeIndex) ? ", new in this epoch" : ""
      return `Key of ${listOf(knowing, people)}${fresh}${rest}.`
    })
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
