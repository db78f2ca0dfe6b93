import type { TreeNode } from "@conclave/client/browser"
import { useEffect, useId, useMemo, useRef } from "preact/hooks"
import type { People } from "../profile/words.js"
import { words } from "../words/words.js"
import { layoutTree, type PlacedNode, type TreeLayout } from "./tree-layout.js"
import { treeSummary } from "./tree-words.js"

export interface TreeDrawingProps {
  readonly people: People
  readonly nodes: readonly TreeNode[]
  /** Node indexes that got new keys with the last commit. */
  readonly renewed: ReadonlySet<number>
  /** Leaves that came with it. */
  readonly added: ReadonlySet<number>
  readonly epoch: bigint
  /** Size against the natural one; default: as wide as there is room. */
  readonly scale?: number
}

/** The ratchet tree (RFC 9420 §4): filled and blank nodes, and the path of the last commit. */
export function TreeDrawing({ people, nodes, renewed, added, epoch, scale }: TreeDrawingProps) {
  const layout = useMemo(() => layoutTree(nodes), [nodes])
  const titleId = useId()
  const fresh = useFreshness(epoch)
  const size = scale === undefined ? {} : { width: layout.width * scale, height: layout.height * scale }
  return (
    <svg
      class={`tree ${fresh ? "is-fresh" : ""} ${scale === undefined ? "tree-fitting" : ""}`}
      data-direction={layout.direction}
      viewBox={`0 0 ${layout.width} ${layout.height}`}
      role="img"
      aria-labelledby={titleId}
      {...size}
    >
      <title id={titleId}>{treeSummary(nodes, renewed)}</title>
      <Edges key={`edges ${epoch}`} layout={layout} renewed={renewed} />
      <g key={`nodes ${epoch}`}>
        {layout.nodes.map((placed) => (
          <Node
            key={placed.node.nodeIndex}
            people={people}
            placed={placed}
            layout={layout}
            isRenewed={renewed.has(placed.node.nodeIndex)}
            isAdded={added.has(placed.node.nodeIndex)}
          />
        ))}
      </g>
    </svg>
  )
}

/** Whether the epoch has changed while one was looking: only then is there something to show in motion. */
function useFreshness(epoch: bigint): boolean {
  const first = useRef(epoch)
  const fresh = first.current !== epoch
  useEffect(() => {
    if (fresh) first.current = -1n
  }, [fresh])
  return fresh
}

function Edges({ layout, renewed }: { readonly layout: TreeLayout; readonly renewed: ReadonlySet<number> }) {
  const isPath = (child: PlacedNode, parent: PlacedNode) =>
    renewed.has(child.node.nodeIndex) && renewed.has(parent.node.nodeIndex)
  const edges = layout.edges.map(({ parent, child }) => ({ parent, child, path: isPath(child, parent) }))
  return (
    <g>
      {edges
        // The path lies on top.
        .sort((a, b) => Number(a.path) - Number(b.path))
        .map(({ parent, child, path }) => (
          <path
            key={child.node.nodeIndex}
            class={["tree-edge", path && "is-renewed", child.node.blank && "is-blank"].filter(Boolean).join(" ")}
            d={edgePath(layout.direction, child, parent)}
            pathLength={1}
            style={{ "--level": child.level }}
          />
        ))}
    </g>
  )
}

function edgePath(direction: TreeLayout["direction"], child: PlacedNode, parent: PlacedNode): string {
  if (direction === "hanging") return `M${child.x} ${child.y}L${parent.x} ${parent.y}`
  return `M${child.x} ${child.y}H${parent.x}V${parent.y}`
}

interface NodeProps {
  readonly people: People
  readonly placed: PlacedNode
  readonly layout: TreeLayout
  readonly isRenewed: boolean
  readonly isAdded: boolean
}

function Node({ people, placed, layout, isRenewed, isAdded }: NodeProps) {
  const { node, x, y, level } = placed
  const names = [
    "tree-node",
    `is-${node.kind}`,
    node.blank ? "is-blank" : "is-filled",
    isRenewed && "is-renewed",
    isAdded && "is-added",
    node.own && "is-own",
  ]
  return (
    <g
      class={names.filter(Boolean).join(" ")}
      data-node-index={node.nodeIndex}
      style={{ "--level": level }}
      transform={`translate(${x} ${y})`}
    >
      <g class="tree-glyph">
        {node.kind === "leaf" ? (
          <LeafGlyph placed={placed} lying={layout.direction === "lying"} />
        ) : (
          <ParentGlyph node={node} />
        )}
      </g>
      {node.kind === "leaf" && node.name !== undefined && <LeafName people={people} placed={placed} layout={layout} />}
    </g>
  )
}

function LeafGlyph({ placed: { node }, lying }: { readonly placed: PlacedNode; readonly lying: boolean }) {
  const half = node.blank ? (lying ? 4 : 6) : lying ? 7 : 10
  return (
    <>
      {node.own && (
        <rect class="tree-own" x={-half - 3} y={-half - 3} width={2 * half + 6} height={2 * half + 6} rx="6" />
      )}
      <rect class="tree-shape" x={-half} y={-half} width={2 * half} height={2 * half} rx={lying ? 3 : 4} />
    </>
  )
}

function ParentGlyph({ node }: { readonly node: TreeNode }) {
  const unmerged = node.unmergedLeaves.length
  return (
    <>
      <circle class="tree-shape" r={node.blank ? 5 : 8} />
      {unmerged > 0 && (
        <g class="tree-unmerged" transform="translate(10 -9)">
          <circle r="7.5" />
          <text y="3.5">{unmerged}</text>
        </g>
      )}
    </>
  )
}

/** The name, not the display name: there is room for one of them, and a display name never stands alone. */
function LeafName({ people, placed, layout }: Pick<NodeProps, "people" | "placed" | "layout">) {
  const { node, label, x, y } = placed
  const { name: shownName, mark } = people.label(node.name ?? "")
  const name = node.own ? words().members.you : mark === undefined ? shownName : `⚠ ${shownName}`
  const characters = [...name]
  const short = characters.length > label.characters ? `${characters.slice(0, label.characters - 1).join("")}…` : name
  return (
    <text
      class="tree-name"
      x={label.x - x}
      y={label.y - y}
      text-anchor={layout.direction === "hanging" ? "middle" : "start"}
    >
      {short}
      <title>{people.called(node.name ?? "")}</title>
    </text>
  )
}
