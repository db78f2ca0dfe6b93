import { type Contents, DecodeError, encode, type PrintOptions } from "@conclave/codec"
import type { CryptoProvider } from "@conclave/crypto"
import { kindOf } from "../group/proposal-kinds.js"
import { leafIndex } from "../indexes.js"
import {
  type Extension,
  type GroupInfo,
  type KeyPackage,
  type LeafNode,
  type MLSMessage,
  type Node,
  type PublicMessage,
  RatchetTreeNodes,
} from "../wire.js"
import { extensionContents } from "./contents.js"
import { groupInfoFacts, keyPackageFacts, leafFacts, leavesOf, type Place, readTree, treeFacts } from "./facts.js"
import { isEpochSecret } from "./group-records.js"
import { registeredNumber } from "./numbers.js"

export interface InspectionOptions {
  /** For hashes and signatures; suites that it lacks are passed over. */
  readonly provider: CryptoProvider
  /** Unix seconds: which lifetimes have ended. */
  readonly now: bigint
}

/**
 * How one value of a type of RFC 9420 is printed: names of the registries' numbers, GREASE, the contents of extensions,
 * and below the structs what can be computed without secrets. Secrets are never shown. `type` is a name of
 * `inspectableTypes`; values of other types get the names alone.
 */
export function inspection(type: string, value: any, options: InspectionOptions): PrintOptions {
  const { provider, now } = options
  const group = groupOf(type, value)
  // Which leaf of a tree, or of a sender, a decoded leaf node is: its signature covers that.
  const places = new Map<LeafNode, Place>()
  const note = (nodes: readonly (Node | undefined)[]) => {
    for (const [index, leaf] of leavesOf(nodes)) places.set(leaf, { groupId: group?.groupId, leafIndex: index })
  }
  if (type === "ratchet_tree") note(value)
  for (const leaf of group?.leaves ?? []) places.set(leaf, { groupId: group!.groupId, leafIndex: group!.sender! })

  const facts: Readonly<Record<string, (value: any) => readonly string[]>> = {
    KeyPackage: (it: KeyPackage) => keyPackageFacts(it, provider),
    LeafNode: (it: LeafNode) => leafFacts(it, { place: places.get(it), provider, now }),
    GroupInfo: (it: GroupInfo) => groupInfoFacts(it, provider),
    ratchet_tree: (nodes: readonly (Node | undefined)[]) =>
      treeFacts(() => readTree(encode(RatchetTreeNodes, nodes), group?.cipherSuite, provider)),
    Extension: (it: Extension) => {
      const found = extensionContents(it)
      return found instanceof DecodeError ? [`extension_data is malformed: ${found.message}`] : []
    },
  }
  return {
    ...(type === type.toLowerCase() && { name: type }),
    numberOf: registeredNumber,
    isSecret: (struct, field) =>
      (/(^|_)(private_key|secret)$/.test(field) && !field.startsWith("encrypted_")) || isEpochSecret(struct, field),
    factsOf: (struct, it) => facts[struct]?.(it) ?? [],
    contentsOf(struct, field, it): Contents | undefined {
      if (struct !== "Extension" || field !== "extension_data") return undefined
      const found = extensionContents(it)
      if (found === undefined || found instanceof DecodeError) return undefined
      if (found.name === "ratchet_tree") note(found.value as readonly (Node | undefined)[])
      return found
    },
  }
}

/** What the value says of the group in which it was made. */
interface GroupSaid {
  readonly groupId: Uint8Array
  readonly cipherSuite?: number
  /** The member who sent the message, and the leaf nodes in it that are its own. */
  readonly sender?: number
  readonly leaves?: readonly LeafNode[]
}

function groupOf(type: string, value: any): GroupSaid | undefined {
  if (type === "MLSMessage") {
    const { wireFormat } = value as MLSMessage
    if (wireFormat.type === "mlsGroupInfo") return groupOf("GroupInfo", wireFormat.groupInfo)
    if (wireFormat.type === "mlsPublicMessage") return groupOf("PublicMessage", wireFormat.publicMessage)
  }
  if (type === "GroupInfo") return (value as GroupInfo).groupContext
  if (type !== "PublicMessage") return undefined
  const { groupId, sender, contentType } = (value as PublicMessage).content
  if (sender.type !== "member") return { groupId }
  const leaves: LeafNode[] = []
  if (contentType.type === "commit" && contentType.commit.path) leaves.push(contentType.commit.path.leafNode)
  if (contentType.type === "proposal") {
    const proposed = kindOf(contentType.proposal).leaf?.(contentType.proposal)
    if (proposed?.replacesSender) leaves.push(proposed.leafNode)
  }
  return { groupId, sender: leafIndex(sender.leafIndex), leaves }
}
