import type { TreeNode } from "@conclave/client/node"
import { labelOfPerson, type People } from "../people.js"
import type { Glyphs, Style } from "../terminal/style.js"
import { words as said } from "../words/words.js"

export interface TreeDrawing {
  readonly style: Style
  readonly glyphs: Glyphs
  readonly epoch: bigint
  readonly people: Pick<People, "displayName">
}

const LINES_MAX = 255

/**
 * The ratchet tree lying on its side, the root at the left: one line for each node, in the order of the array, which is
 * the order from one side to the other. A subtree without a filled node is one line.
 */
export function drawTree(nodes: readonly TreeNode[], drawing: TreeDrawing): readonly string[] {
  const { glyphs, style, epoch } = drawing
  if (nodes.length === 0) return [said().typed.noTree]
  const lines = subtree(rangeOf(nodes), { ...drawing, nodes, before: "", side: "root" })
  const shown =
    lines.length > LINES_MAX
      ? [...lines.slice(0, LINES_MAX), `${glyphs.ellipsis} ${said().typed.moreLines(lines.length - LINES_MAX)}`]
      : lines
  const { filled, blank, renewed } = said().typed.legend
  const legend = `${glyphs.filled} ${filled}  ${glyphs.blank} ${blank}  ${glyphs.renewed} ${renewed(epoch)}`
  return [...shown, style.dim(legend)]
}

interface Range {
  readonly first: number
  /** Behind the last. */
  readonly end: number
}

interface Place extends TreeDrawing {
  readonly nodes: readonly TreeNode[]
  /** What stands in front of all lines of the subtree. */
  readonly before: string
  readonly side: "root" | "upper" | "lower"
}

const rangeOf = (nodes: readonly TreeNode[]): Range => ({ first: 0, end: nodes.length })

/** The array of a subtree has its root in the middle (RFC 9420 appendix C). */
function subtree({ first, end }: Range, place: Place): string[] {
  const { nodes, glyphs, before, side } = place
  const middle = (first + end - 1) / 2
  const own = before + branch(place) + nodeLine(nodes[middle]!, place)
  if (end - first === 1) return [own]
  if (nodes.slice(first, end).every(({ blank }) => blank)) {
    return [`${before}${branch(place)}${glyphs.blank} ${said().typed.blankLeaves((end - first + 1) / 2)}`]
  }
  const gap = "    "
  const outside = side === "root" ? "" : before
  const above = side === "root" ? "" : outside + (side === "upper" ? gap : glyphs.vertical)
  const below = side === "root" ? "" : outside + (side === "upper" ? glyphs.vertical : gap)
  return [
    ...subtree({ first, end: middle }, { ...place, before: above, side: "upper" }),
    own,
    ...subtree({ first: middle + 1, end }, { ...place, before: below, side: "lower" }),
  ]
}

function branch({ side, glyphs }: Place): string {
  if (side === "root") return ""
  return side === "upper" ? glyphs.upper : glyphs.lower
}

function nodeLine(node: TreeNode, { glyphs, style, epoch, people }: Place): string {
  if (node.blank) return style.dim(glyphs.blank)
  const isRenewed = node.renewedInEpoch === epoch
  const mark = isRenewed ? style.green(glyphs.renewed) : glyphs.filled
  const words = [
    ...(node.name === undefined ? [] : [style.bold(labelOfPerson(people, node.name))]),
    ...(node.own ? [said().typed.you.trimStart()] : []),
    ...(node.renewedInEpoch === undefined ? [] : [style.dim(said().typed.sinceEpoch(node.renewedInEpoch))]),
    ...(node.unmergedLeaves.length > 0 ? [style.yellow(said().typed.unknownTo(node.unmergedLeaves.join(", ")))] : []),
  ]
  return [mark, ...words].join(" ")
}
