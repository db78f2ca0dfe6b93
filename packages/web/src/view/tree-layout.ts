import type { TreeNode } from "@conclave/client/browser"

/**
 * Where the nodes of a ratchet tree stand in the drawing.
 *
 * Small trees hang from their root; the names of eight leaves take turns on two lines. Larger trees lie on their side,
 * the root on the left, with a line for each leaf, so that every name can be read at any size of the group.
 *
 *            3                0─┐
 *        ┌───┴───┐              1─┐
 *        1       5            2─┘ │
 *       ┌┴┐     ┌┴┐               3
 *       0 2     4 6           4─┐ │
 */
export interface TreeLayout {
  readonly direction: "hanging" | "lying"
  readonly width: number
  readonly height: number
  readonly nodes: readonly PlacedNode[]
  readonly edges: readonly Edge[]
}

export interface PlacedNode {
  readonly node: TreeNode
  /** 0 for a leaf. */
  readonly level: number
  readonly x: number
  readonly y: number
  /** Of a leaf: where its name begins (lying) or has its middle (hanging). */
  readonly label: { readonly x: number; readonly y: number; readonly characters: number }
}

export interface Edge {
  readonly parent: PlacedNode
  readonly child: PlacedNode
}

/** In the drawing's own units, which are pixels where it is drawn in its natural size. */
export const DRAWING_WIDTH = 352
const MARGIN = 16
const LEVEL_HEIGHT = 56
const HANGING_LEAVES_MAX = 8
const LEAF_WIDTH_MAX = 88
const LABEL_LINE = 16
const ROW_FILLED = 24
const ROW_BLANK = 14
const LABEL_WIDTH = 112
const LEVEL_WIDTH_MAX = 48
/** Of a 12-pixel font, on average. */
const CHARACTER_WIDTH = 7

export function layoutTree(nodes: readonly TreeNode[]): TreeLayout {
  const leafCount = (nodes.length + 1) / 2
  return leafCount <= HANGING_LEAVES_MAX ? layoutHanging(nodes, leafCount) : layoutLying(nodes, leafCount)
}

/** RFC 9420 Appendix C: a node's level is the number of ones at the end of its index. */
export function levelOf(nodeIndex: number): number {
  let level = 0
  for (let rest = nodeIndex; rest % 2 === 1; rest = (rest - 1) / 2) level++
  return level
}

/** The node indexes of the leaves below a node, the first and the last. */
export function leavesBelow(nodeIndex: number): readonly [first: number, last: number] {
  const reach = 2 ** levelOf(nodeIndex) - 1
  return [nodeIndex - reach, nodeIndex + reach]
}

function layoutHanging(nodes: readonly TreeNode[], leafCount: number): TreeLayout {
  const levels = levelOf(nodes.length === 0 ? 0 : (nodes.length - 1) / 2)
  const pitch = Math.min(LEAF_WIDTH_MAX, (DRAWING_WIDTH - 8) / Math.max(leafCount, 1))
  const left = (DRAWING_WIDTH - pitch * leafCount) / 2
  const lines = leafCount > 4 ? 2 : 1
  const bottom = MARGIN + levels * LEVEL_HEIGHT + 4
  const placed = nodes.map((node): PlacedNode => {
    const level = levelOf(node.nodeIndex)
    const x = left + (pitch * (node.nodeIndex + 1)) / 2
    const y = bottom - level * LEVEL_HEIGHT
    const line = lines === 2 && (node.nodeIndex / 2) % 2 === 1 ? 1 : 0
    const characters = Math.max(3, Math.floor((pitch * lines - 6) / CHARACTER_WIDTH))
    return { node, level, x, y, label: { x, y: y + 30 + line * LABEL_LINE, characters } }
  })
  return {
    direction: "hanging",
    width: DRAWING_WIDTH,
    height: bottom + 38 + (lines - 1) * LABEL_LINE,
    nodes: placed,
    edges: edgesOf(placed),
  }
}

function layoutLying(nodes: readonly TreeNode[], leafCount: number): TreeLayout {
  const levels = levelOf((nodes.length - 1) / 2)
  const levelWidth = Math.min(LEVEL_WIDTH_MAX, (DRAWING_WIDTH - LABEL_WIDTH - 2 * MARGIN) / levels)
  const leafX = MARGIN + levels * levelWidth
  const rows: number[] = []
  let y = MARGIN
  for (let leaf = 0; leaf < leafCount; leaf++) {
    const height = nodes[2 * leaf]?.blank === true ? ROW_BLANK : ROW_FILLED
    rows.push(y + height / 2)
    y += height
  }
  const placed = nodes.map((node): PlacedNode => {
    const level = levelOf(node.nodeIndex)
    const [first, last] = leavesBelow(node.nodeIndex)
    const row = ((rows[first / 2] ?? 0) + (rows[last / 2] ?? 0)) / 2
    const x = leafX - level * levelWidth
    const characters = Math.floor((DRAWING_WIDTH - leafX - 16) / CHARACTER_WIDTH)
    return { node, level, x, y: row, label: { x: x + 16, y: row + 4, characters } }
  })
  return { direction: "lying", width: DRAWING_WIDTH, height: y + MARGIN, nodes: placed, edges: edgesOf(placed) }
}

function edgesOf(placed: readonly PlacedNode[]): readonly Edge[] {
  return placed.flatMap((parent) => {
    if (parent.level === 0) return []
    const reach = 2 ** (parent.level - 1)
    const { nodeIndex } = parent.node
    return [placed[nodeIndex - reach], placed[nodeIndex + reach]].flatMap((child) =>
      child === undefined ? [] : [{ parent, child }],
    )
  })
}
