import { decode, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { Group } from "@conclave/mls"
import { type GroupOutline, OutlineHead, OutlineNodes, recordKeys } from "../core/records.js"
import type { Step } from "../core/steps.js"
import { nameOf } from "../identity/judge.js"
import type { SealedStore } from "../store/sealed.js"

/** Nodes of a record: a commit renews one path of the tree, whose nodes are in few of them. */
const NODES_EACH = 128

type OutlineNode = GroupOutline["nodes"][number]

/**
 * What is shown of a conversation, kept beside its group's records: so that a profile with many conversations opens
 * without restoring any. Written anew where a part of it has changed.
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
    this.#shown = head === undefined ? undefined : { ...decode(OutlineHead, head), nodes }
  }

  save(step: Step, id: string, group: Group): void {
    if (this.#shown?.epoch === group.epoch && equalBytes(this.#shown.epochAuthenticator, group.epochAuthenticator))
      return
    const { epoch, epochAuthenticator, ownLeafIndex } = group
    const nodes = group.treeView().map(({ member, blank, kind, unmergedLeaves }): OutlineNode => {
      if (blank) return { type: "blank" }
      if (kind === "parent" || member === undefined) return { type: "parent", unmergedLeaves }
      return { type: "leaf", name: nameOf(member.credential) ?? "", signatureKey: member.signatureKey }
    })
    const head = { epoch, epochAuthenticator, ownLeafIndex: Number(ownLeafIndex) }
    step.put(recordKeys.outline(id), encode(OutlineHead, head))
    this.#putNodes(step, id, nodes)
    this.#shown = { ...head, nodes }
  }

  forget(step: Step, id: string): void {
    step.delete(recordKeys.outline(id))
    for (const at of this.#parts.keys()) step.delete(recordKeys.outlinePart(id, at))
    this.#parts = []
    this.#shown = undefined
  }

  #putNodes(step: Step, id: string, nodes: readonly OutlineNode[]): void {
    const parts = Array.from({ length: Math.ceil(nodes.length / NODES_EACH) }, (_, at) =>
      encode(OutlineNodes, nodes.slice(NODES_EACH * at, NODES_EACH * (at + 1))),
    )
    for (const [at, part] of parts.entries()) {
      const before = this.#parts[at]
      if (before === undefined || !equalBytes(before, part)) step.put(recordKeys.outlinePart(id, at), part)
    }
    for (let at = parts.length; at < this.#parts.length; at++) step.delete(recordKeys.outlinePart(id, at))
    this.#parts = parts
  }
}

/** Names in the order of their code units, each once. */
export function namesIn({ nodes }: GroupOutline): readonly string[] {
  return [...new Set(nodes.flatMap((node) => (node.type === "leaf" && node.name !== "" ? [node.name] : [])))].sort()
}
