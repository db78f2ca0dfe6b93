import { decode, encode, type TypeOf } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { nameOf } from "@conclave/identity/verdicts"
import type { Group, TreeNodeView } from "@conclave/mls"
import { OutlineHead, OutlineNodes, recordKeys } from "../records/records.js"
import type { Changes } from "../store/changes.js"
import type { SealedStore } from "../store/sealed.js"

/** Nodes of a record: a commit renews one path of the tree, whose nodes are in few of them. */
const NODES_EACH = 128

type OutlineNode = TypeOf<typeof OutlineNodes>[number]

export interface GroupOutline extends TypeOf<typeof OutlineHead> {
  /** In the order of RFC 9420 appendix C. */
  readonly nodes: readonly OutlineNode[]
  /** Of the members: in the order of their code units, each once. */
  readonly names: readonly string[]
}

/**
 * What is shown of a conversation, kept beside its group's records: so that a profile with many conversations opens
 * without restoring any. It follows the tree node by node, so that a commit costs as little in a large group as in a
 * small one.
 */
export class Outline {
  #shown: GroupOutline | undefined
  /** As they are stored. */
  #parts: readonly Uint8Array[] = []

  /** `undefined` where there is no group. */
  get shown(): GroupOutline | undefined {
    return this.#shown
  }

  async load(store: SealedStore, id: string): Promise<void> {
    const head = await store.get(recordKeys.outline(id))
    const parts = head === undefined ? [] : await store.list(recordKeys.outlineNodes(id))
    this.#parts = parts.map(([, part]) => part)
    const nodes = this.#parts.flatMap((part) => decode(OutlineNodes, part))
    this.#shown = head === undefined ? undefined : { ...decode(OutlineHead, head), nodes, names: namesIn(nodes) }
  }

  save(step: Changes, id: string, group: Group, { changed, since }: OutlineChange): void {
    const before = changed === undefined ? undefined : this.#shown
    if (before?.epoch === group.epoch && equalBytes(before.epochAuthenticator, group.epochAuthenticator)) return
    const { epoch, epochAuthenticator, ownLeafIndex, nodeCount } = group
    const nodes = before?.nodes.slice(0, nodeCount) ?? []
    while (nodes.length < nodeCount) nodes.push(BLANK)
    const views = before === undefined ? group.treeView() : group.treeView(changed)
    // A smaller tree has lost leaves at its end.
    let names = before === undefined || nodeCount < before.nodes.length ? undefined : before.names
    for (const view of views) {
      const node = outlineNode(view, since(view.nodeIndex))
      if (nameIn(node) !== nameIn(nodes[view.nodeIndex]!)) names = undefined
      nodes[view.nodeIndex] = node
    }
    const head = { epoch, epochAuthenticator, ownLeafIndex: Number(ownLeafIndex) }
    step.put(recordKeys.outline(id), encode(OutlineHead, head))
    const touched = new Set(views.map(({ nodeIndex }) => Math.floor(nodeIndex / NODES_EACH)))
    // Parts that were full and are full: what a larger or smaller tree has at its end is in no list of changes.
    const full = Math.floor(Math.min(nodeCount, before?.nodes.length ?? 0) / NODES_EACH)
    this.#putNodes(step, id, nodes, (part) => part >= full || touched.has(part))
    this.#shown = { ...head, nodes, names: names ?? namesIn(nodes) }
  }

  /** Of all leaves that are in the tree, the oldest: see {@link OutlineChange.since}. */
  get oldestSince(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const node of this.#shown?.nodes ?? []) if (node.type === "leaf" && node.since < oldest) oldest = node.since
    return oldest
  }

  forget(step: Changes, id: string): void {
    step.delete(recordKeys.outline(id))
    for (const at of this.#parts.keys()) step.delete(recordKeys.outlinePart(id, at))
    this.#parts = []
    this.#shown = undefined
  }

  #putNodes(step: Changes, id: string, nodes: readonly OutlineNode[], mayDiffer: (part: number) => boolean): void {
    const parts = Array.from({ length: Math.ceil(nodes.length / NODES_EACH) }, (_, at) => {
      const before = this.#parts[at]
      if (before !== undefined && !mayDiffer(at)) return before
      const part = encode(OutlineNodes, nodes.slice(NODES_EACH * at, NODES_EACH * (at + 1)))
      if (before === undefined || !equalBytes(before, part)) step.put(recordKeys.outlinePart(id, at), part)
      return part
    })
    for (let at = parts.length; at < this.#parts.length; at++) step.delete(recordKeys.outlinePart(id, at))
    this.#parts = parts
  }
}

/** What has become of the tree. */
export interface OutlineChange {
  /** The nodes that are not as they were at the change before; `undefined` for a group that is new. */
  readonly changed: ReadonlySet<number> | undefined
  /** The number of the interval that was in force when a leaf was set; `nodeIndex` is that of the leaf. */
  readonly since: (nodeIndex: number) => number
}

const BLANK: OutlineNode = { type: "blank" }

function outlineNode({ member, blank, kind, unmergedLeaves }: TreeNodeView, since: number): OutlineNode {
  if (blank) return BLANK
  if (kind === "parent" || member === undefined) return { type: "parent", unmergedLeaves }
  return { type: "leaf", name: nameOf(member.credential) ?? "", signatureKey: member.signatureKey, since }
}

const nameIn = (node: OutlineNode): string => (node.type === "leaf" ? node.name : "")

function namesIn(nodes: readonly OutlineNode[]): readonly string[] {
  return [...new Set(nodes.map(nameIn).filter((name) => name !== ""))].sort()
}
