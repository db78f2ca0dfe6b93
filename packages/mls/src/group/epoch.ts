import { decode, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { rule } from "../errors.js"
import type { LeafIndex, NodeIndex } from "../indexes.js"
import type { EpochSecrets } from "../schedule/key-schedule.js"
import type { SecretTree } from "../schedule/secret-tree.js"
import type { CipherSuite } from "../suite/suite.js"
import {
  decodeExtension,
  extensionData,
  extensionTypes,
  type LeafRequirements,
  LIST_LENGTH_MAX,
  requiredCapabilities,
} from "../tree/leaf.js"
import type { RatchetTree } from "../tree/ratchet-tree.js"
import { type Extension, type ExternalSender, ExternalSenders, GroupContext, type LeafNode } from "../wire.js"
import type { GroupPolicy } from "./policy.js"
import type { CredentialClaim, Member, Signer } from "./types.js"

/** One state of a group, as one member knows it. Nothing in it changes; the next commit makes another. */
export interface Epoch {
  readonly suite: CipherSuite
  readonly context: GroupContext
  /** The context's encoding, which is hashed and signed with every message. */
  readonly contextBytes: Uint8Array
  readonly tree: RatchetTree
  readonly secrets: EpochSecrets
  readonly confirmationTag: Uint8Array
  readonly interimTranscriptHash: Uint8Array
  readonly ownLeafIndex: LeafIndex
  /** Of the own leaf and the parents above it, as far as they are known. */
  readonly privateKeys: ReadonlyMap<NodeIndex, Uint8Array>
  readonly signer: Signer
}

/** What is left of an epoch that is over: enough to read messages that come late. */
export interface PastEpoch {
  readonly epoch: bigint
  readonly contextBytes: Uint8Array
  readonly senderData: Uint8Array
  readonly secretTree: SecretTree
  /** Leaves that the epoch's end replaced or removed, as they were: a late message is its sender's, not the successor's. */
  readonly replacedLeaves: ReadonlyMap<LeafIndex, LeafNode | undefined>
}

export const encodeContext = (context: GroupContext): Uint8Array => encode(GroupContext, context)

export function memberAt(tree: RatchetTree, leafIndex: LeafIndex): Member | undefined {
  const leaf = tree.leaf(leafIndex)
  return leaf === undefined ? undefined : memberOf(leafIndex, leaf)
}

export function memberOf(leafIndex: LeafIndex, { credential, signatureKey }: LeafNode): Member {
  return { leafIndex, credential, signatureKey }
}

/** What a member presents, to be judged. */
export function claimOf(
  reason: CredentialClaim["reason"],
  { leafIndex, credential, signatureKey }: Member,
): CredentialClaim {
  return { reason, leafIndex, credential, signatureKey }
}

export function membersOf({ tree }: Pick<Epoch, "tree">): Member[] {
  return Array.from(tree.leaves(), ([index, leaf]) => memberOf(index, leaf))
}

/** RFC 9420 §6.1: what we send is verified with the key of our leaf node. @throws TypeError for a signer of another */
export function requireSignerOf({ signatureKey }: LeafNode, { key }: Signer): void {
  if (!equalBytes(signatureKey, key.publicKey)) throw new TypeError("the signer does not have the key of our leaf node")
}

/**
 * RFC 9420 §8.1: a group has a name. It stands in every message, twice in what is signed.
 *
 * @throws RuleError
 */
export function requireGroupId({ length }: Uint8Array): void {
  rule(length >= 1 && length <= GROUP_ID_LENGTH_MAX, "group-id-length", `${length} bytes`)
}

const GROUP_ID_LENGTH_MAX = 0xffff

/** What a leaf node has to meet in a group with these extensions. `now` is absent for those who are in already. */
export function leafRequirements(
  suite: CipherSuite,
  extensions: readonly Extension[],
  policy: GroupPolicy,
  now: bigint | undefined,
): LeafRequirements {
  return {
    suite,
    extensions,
    required: requiredCapabilities(extensions),
    lifetimeSecondsMax: policy.lifetimeSecondsMax,
    listedDefaultsAllowed: policy.listedDefaultsAllowed,
    unlistedSuiteAllowed: policy.unlistedSuiteAllowed,
    now,
  }
}

/** RFC 9420 §12.1.8.1. @throws RuleError where the extension is malformed. */
export function externalSenders(extensions: readonly Extension[]): readonly ExternalSender[] {
  const data = extensionData(extensions, extensionTypes.externalSenders)
  if (data === undefined) return []
  const senders = decodeExtension(() => decode(ExternalSenders, data))
  rule(senders.length <= LIST_LENGTH_MAX, "external-senders-length")
  return senders
}
