import type { LeafIndex } from "../indexes.js"
import { signLeafNode, validateLeafNode } from "../tree/leaf.js"
import type { Capabilities, Extension, PreSharedKeyID, Proposal, ReInit } from "../wire.js"
import { leafRequirements } from "./epoch.js"
import { decodeKeyPackage, freshKeyPair, ownCapabilities } from "./key-package.js"
import { validateProposal } from "./proposals.js"
import { type GroupState, originOf } from "./state.js"
import type { SentProposal, Signer } from "./types.js"

/** What a member may propose (RFC 9420 §12.1). */
export type GroupChange =
  /** `keyPackage`: MLSMessage with the KeyPackage. */
  | { readonly type: "add"; readonly keyPackage: Uint8Array }
  /** A new leaf node for this member, with new keys; with `signer`, also a new signature key and credential. */
  | { readonly type: "update"; readonly signer?: Signer }
  | { readonly type: "remove"; readonly leafIndex: LeafIndex }
  | { readonly type: "externalPsk"; readonly id: Uint8Array }
  | { readonly type: "resumptionPsk"; readonly groupId: Uint8Array; readonly epoch: bigint }
  | ({ readonly type: "reInit" } & Omit<ReInit, "version">)
  | { readonly type: "extensions"; readonly extensions: readonly Extension[] }
  /** Of a type that the application has registered; `content` is its body as it stands on the wire. */
  | { readonly type: "registered"; readonly number: number; readonly content: Uint8Array }

/** What a commit changes beyond the proposals that were received. */
export interface GroupChanges {
  /** MLSMessages with KeyPackages. */
  readonly add?: readonly Uint8Array[]
  readonly remove?: readonly LeafIndex[]
  /** Names of external pre-shared keys. */
  readonly externalPsks?: readonly Uint8Array[]
  readonly resumptionPsks?: readonly { readonly groupId: Uint8Array; readonly epoch: bigint }[]
  /** Replace all extensions of the GroupContext (RFC 9420 §12.1.7). */
  readonly extensions?: readonly Extension[]
  readonly reInit?: Omit<ReInit, "version">
  readonly registered?: readonly { readonly number: number; readonly content: Uint8Array }[]
  /** Rotates our signature key and credential. */
  readonly signer?: Signer
  /** Replace the extensions and capabilities of our leaf node. */
  readonly leafExtensions?: readonly Extension[]
  readonly leafCapabilities?: Partial<Capabilities>
  /** Without an UpdatePath where the proposals allow it: cheaper, but nothing of ours is renewed. */
  readonly path?: boolean
  /** Whether the tree is inside the Welcome; otherwise newcomers are given it beside. By default it is. */
  readonly welcomeWithTree?: boolean
  readonly authenticatedData?: Uint8Array
}

/** The proposals of a commit by value, in the order in which they are applied. @throws RuleError, DecodeError */
export function proposalsOf(state: GroupState, changes: GroupChanges): SentProposal[] {
  const wanted: GroupChange[] = []
  const { lineage } = state
  if (changes.extensions) wanted.push({ type: "extensions", extensions: changes.extensions })
  for (const leafIndex of changes.remove ?? []) wanted.push({ type: "remove", leafIndex })
  for (const keyPackage of changes.add ?? []) wanted.push({ type: "add", keyPackage })
  for (const id of changes.externalPsks ?? []) wanted.push({ type: "externalPsk", id })
  for (const psk of changes.resumptionPsks ?? []) wanted.push({ type: "resumptionPsk", ...psk })
  for (const registered of changes.registered ?? []) wanted.push({ type: "registered", ...registered })
  if (changes.reInit) wanted.push({ type: "reInit", ...changes.reInit })
  const proposals = wanted.map((change) => proposalOf(state, change))
  // RFC 9420 §11.2, §11.3: the first commit ties the group to the one that it continues.
  if (lineage) proposals.push({ type: "psk", psk: resumptionId(state, lineage.groupId, lineage.epoch, lineage.origin) })
  const sender = { type: "member" as const, leafIndex: state.epoch.ownLeafIndex }
  return proposals.map((proposal) => ({ proposal, sender }))
}

/** @throws RuleError, DecodeError */
export function proposalOf(state: GroupState, change: GroupChange): Proposal {
  const proposal = build(state, change)
  const { epoch } = state
  const sender = { type: "member" as const, leafIndex: epoch.ownLeafIndex }
  validateProposal({ proposal, sender }, { epoch, committer: epoch.ownLeafIndex, origin: originOf(state) })
  return proposal
}

function build(state: GroupState, change: GroupChange): Proposal {
  switch (change.type) {
    case "add":
      return { type: "add", keyPackage: decodeKeyPackage(change.keyPackage, state.environment.registries) }
    case "update":
      return proposeUpdate(state, change.signer ?? state.epoch.signer)
    case "remove":
      return { type: "remove", removed: change.leafIndex }
    case "externalPsk":
      return {
        type: "psk",
        psk: { psktype: { type: "external", pskId: change.id }, pskNonce: pskNonce(state) },
      }
    case "resumptionPsk":
      return { type: "psk", psk: resumptionId(state, change.groupId, change.epoch, "application") }
    case "reInit": {
      const { groupId, cipherSuite, extensions } = change
      return { type: "reinit", groupId, version: 1, cipherSuite, extensions }
    }
    case "extensions":
      return { type: "groupContextExtensions", extensions: change.extensions }
    case "registered":
      return change
  }
}

/** RFC 9420 §12.1.2: the private key waits until somebody commits the Update. */
function proposeUpdate(state: GroupState, signer: Signer): Proposal {
  const { suite, random, policy, capabilities } = state.environment
  const { epoch } = state
  const before = epoch.tree.leaf(epoch.ownLeafIndex)!
  const { publicKey, privateKey } = freshKeyPair(suite, random)
  const leafNode = signLeafNode(
    {
      encryptionKey: publicKey,
      signatureKey: signer.key.publicKey,
      credential: signer.credential,
      capabilities: ownCapabilities(suite, signer, capabilities, policy.grease ? random : undefined),
      leafNodeSource: { type: "update" },
      extensions: before.extensions,
    },
    signer.key,
    { groupId: epoch.context.groupId, leafIndex: epoch.ownLeafIndex },
  )
  // Before anything is kept: what throws has changed nothing.
  validateLeafNode(leafNode, leafRequirements(suite, epoch.context.extensions, policy, undefined))
  state.addUpdate(publicKey, { privateKey, signer })
  return { type: "update", leafNode }
}

function resumptionId(
  state: GroupState,
  pskGroupId: Uint8Array,
  pskEpoch: bigint,
  usage: "application" | "reinit" | "branch",
): PreSharedKeyID {
  return { psktype: { type: "resumption", usage, pskGroupId, pskEpoch }, pskNonce: pskNonce(state) }
}

/** RFC 9420 §12.1.4: fresh, as long as a secret. */
const pskNonce = ({ environment }: GroupState): Uint8Array => environment.random(environment.suite.secretSize)
