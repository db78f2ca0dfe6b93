import { equalBytes } from "@conclave/crypto"
import { rule } from "../errors.js"
import type { LeafIndex } from "../indexes.js"
import { keyName } from "../tree/key-index.js"
import {
  isDefaultProposal,
  isProposedLeafSignatureValid,
  requiredCapabilities,
  signLeafNode,
  validateExtensionList,
  validateLeafNode,
} from "../tree/leaf.js"
import type { RatchetTree } from "../tree/ratchet-tree.js"
import {
  type Capabilities,
  type Extension,
  type KeyPackage,
  type LeafNode,
  type PreSharedKeyID,
  type Proposal,
  ProposalType,
  type ReInit,
  type Sender,
} from "../wire.js"
import { type Epoch, externalSenders, leafRequirements, requireGroupId } from "./epoch.js"
import { decodeKeyPackage, freshKeyPair, ownCapabilities, validateKeyPackage } from "./key-package.js"
import type { GroupPolicy } from "./policy.js"
import { freshNonce, type Origin, resumptionId, validatePskId, validatePskList } from "./psk-ids.js"
import type { SentProposal, Signer } from "./types.js"

/*
 * Every type of proposal, one row each: how it is made, who may send it, when it is valid alone and among others, and
 * what it changes. Its struct and its number are in `wire.ts`. `proposals.ts` and `received-proposals.ts` go by the rows.
 */

type TypeName = Proposal["type"]
export type SentOf<T extends TypeName> = SentProposal & { readonly proposal: Extract<Proposal, { type: T }> }

/** One type of proposal. */
export interface ProposalKind<T extends TypeName> {
  /** RFC 9420 §17.4, column "Ext", and §12.1.8: whether an external sender may propose it. */
  readonly isExternal: boolean
  /** RFC 9420 §12.1.8: whether somebody who wants to join may propose it. */
  readonly isByNewMember?: boolean
  /** RFC 9420 §17.4, column "Path": whether a Commit with it needs an UpdatePath. */
  readonly needsPath: boolean
  /** When it is applied (RFC 9420 §12.3). Rows of the same step are applied in the order of the table. */
  readonly step: (typeof applicationSteps)[number]
  /** The changes, by their `type`, that become such a proposal. */
  readonly makes: { readonly [C in GroupChange["type"]]?: (change: ChangeOf<C>, by: Proposer) => Proposal }

  /** RFC 9420 §12.1: one by itself. @throws RuleError */
  readonly validate?: (item: SentOf<T>, context: ProposalContext) => void
  /** RFC 9420 §12.2, the first list: all of the type, perhaps none, in a member's Commit. @throws RuleError */
  readonly validateAll?: (items: readonly SentOf<T>[], list: MemberList) => void
  /** RFC 9420 §12.2, the second list; absent where an external Commit may have none. @throws RuleError */
  readonly validateExternal?: (items: readonly SentOf<T>[], context: ProposalContext) => void

  /** The leaf node that it proposes, and whether that takes the place of the sender's. */
  readonly leaf?: (proposal: SentOf<T>["proposal"]) => { readonly leafNode: LeafNode; readonly replacesSender: boolean }
  /** The key package that it brings. */
  readonly keyPackage?: (proposal: SentOf<T>["proposal"]) => KeyPackage
  /** The leaf that it blanks. */
  readonly removes?: (item: SentOf<T>) => LeafIndex
  /** Of proposals that claim the same, a Commit takes in the latest. */
  readonly claim?: (item: SentOf<T>) => string
  /** Whether a Commit with these others takes it in; otherwise it waits for the next one. */
  readonly isTaken?: (item: SentOf<T>, selection: Selection) => boolean

  /** RFC 9420 §12.3: its effect on the tree and the group's parameters. */
  readonly apply?: (item: SentOf<T>, draft: ProposalDraft) => void
}

/** RFC 9420 §12.3: first the group's parameters, then Updates, Removes, Adds. */
export const applicationSteps = ["parameters", "updates", "removals", "additions", "others"] as const

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

type ChangeOf<C extends GroupChange["type"]> = Extract<GroupChange, { readonly type: C }>

/** What making a proposal needs of the member that makes it. */
export interface Proposer {
  readonly epoch: Epoch
  readonly environment: Parameters<typeof freshNonce>[0] & {
    readonly suite: Epoch["suite"]
    readonly policy: GroupPolicy
    readonly capabilities: Partial<Capabilities>
    readonly registries: Parameters<typeof decodeKeyPackage>[1]
  }
  /** Keeps the private key of a proposed leaf node until somebody commits it. */
  addUpdate(encryptionKey: Uint8Array, update: { readonly privateKey: Uint8Array; readonly signer: Signer }): void
}

export interface ProposalContext {
  readonly epoch: Epoch
  /** `undefined` for an external Commit. */
  readonly committer: LeafIndex | undefined
  readonly origin?: Origin | undefined
}

/** The proposals of a member's Commit, all together. */
export interface MemberList extends ProposalContext {
  readonly length: number
  /** Signature keys of the members whom the Commit removes, by {@link keyName}. */
  readonly removedKeys: ReadonlySet<string>
  /** @throws RuleError where the leaf was changed before. */
  readonly change: (leaf: LeafIndex) => void
}

/** Received proposals from which a Commit is made, and what the committer wants beside them. */
export interface Selection {
  readonly epoch: Epoch
  readonly length: number
  readonly removed: ReadonlySet<LeafIndex>
  readonly removedKeys: ReadonlySet<string>
}

/** The removal of a member, and whose proposal it was. */
export interface AppliedRemoval {
  readonly leafIndex: LeafIndex
  readonly by: SentProposal
}

/** What the proposals of a Commit make of the epoch before it. */
export interface ProposalDraft {
  readonly tree: RatchetTree
  extensions: readonly Extension[]
  readonly added: Map<LeafIndex, KeyPackage>
  readonly updated: LeafIndex[]
  readonly removals: AppliedRemoval[]
  readonly psks: PreSharedKeyID[]
  kemOutput: Uint8Array | undefined
  reInit: ReInit | undefined
}

export const proposalKinds: { readonly [T in TypeName]: ProposalKind<T> } = {
  // RFC 9420 §12.1.7
  groupContextExtensions: {
    isExternal: true,
    needsPath: true,
    step: "parameters",
    makes: { extensions: ({ extensions }) => ({ type: "groupContextExtensions", extensions }) },
    validate({ proposal: { extensions } }, { epoch }) {
      validateExtensionList(extensions, "groupContext")
      requiredCapabilities(extensions)
      for (const { signatureKey } of externalSenders(extensions)) {
        rule(epoch.suite.signature.isPublicKey(signatureKey), "key-signature-valid")
      }
    },
    validateAll(items) {
      rule(items.length <= 1, "list-one-group-context-extensions")
    },
    claim: () => "extensions",
    apply({ proposal }, draft) {
      draft.extensions = proposal.extensions
    },
  },

  // RFC 9420 §12.1.2
  update: {
    isExternal: false,
    needsPath: true,
    step: "updates",
    makes: { update: ({ signer }, by) => ({ type: "update", leafNode: newLeaf(signer ?? by.epoch.signer, by) }) },
    validate({ proposal: { leafNode }, sender }, { epoch: { suite, tree, context } }) {
      const leafIndex = memberLeaf(sender)
      rule(leafNode.leafNodeSource.type === "update", "leaf-source-update")
      requireNewKey(leafNode, tree.leaf(leafIndex)!)
      const position = { groupId: context.groupId, leafIndex }
      rule(isProposedLeafSignatureValid(suite, leafNode, position), "leaf-signature")
    },
    validateAll(items, { committer, change }) {
      for (const { sender } of items) {
        const leaf = memberLeaf(sender)
        rule(leaf !== committer, "list-update-by-committer")
        change(leaf)
      }
    },
    leaf: ({ leafNode }) => ({ leafNode, replacesSender: true }),
    claim: ({ sender }) => `leaf ${memberLeaf(sender)}`,
    // RFC 9420 §12.2: a Remove is preferred to an Update of the same leaf.
    isTaken({ sender }, { epoch, removed }) {
      const leaf = memberLeaf(sender)
      return leaf !== epoch.ownLeafIndex && !removed.has(leaf)
    },
    apply({ proposal, sender }, draft) {
      const leaf = memberLeaf(sender)
      draft.tree.updateLeaf(leaf, proposal.leafNode)
      draft.updated.push(leaf)
    },
  },

  // RFC 9420 §12.1.3
  remove: {
    isExternal: true,
    needsPath: true,
    step: "removals",
    makes: { remove: ({ leafIndex }) => ({ type: "remove", removed: leafIndex }) },
    validate({ proposal: { removed } }, { epoch }) {
      rule(epoch.tree.leaf(removed) !== undefined, "proposal-remove-member", `leaf ${removed}`)
    },
    validateAll(items, { committer, change }) {
      for (const { proposal } of items) {
        rule(proposal.removed !== committer, "list-remove-of-committer")
        change(proposal.removed)
      }
    },
    validateExternal(items) {
      rule(items.length <= 1, "external-remove-once")
    },
    removes: ({ proposal }) => proposal.removed,
    claim: ({ proposal }) => `leaf ${proposal.removed}`,
    isTaken: ({ proposal }, { epoch }) => proposal.removed !== epoch.ownLeafIndex,
    apply(by, draft) {
      draft.tree.removeLeaf(by.proposal.removed)
      draft.removals.push({ leafIndex: by.proposal.removed, by })
    },
  },

  // RFC 9420 §12.1.1
  add: {
    isExternal: true,
    isByNewMember: true,
    needsPath: false,
    step: "additions",
    makes: {
      add: ({ keyPackage }, { environment: { registries } }) => ({
        type: "add",
        keyPackage: decodeKeyPackage(keyPackage, registries),
      }),
    },
    validate({ proposal }, { epoch }) {
      validateKeyPackage(epoch.suite, proposal.keyPackage)
    },
    validateAll(items, { epoch, removedKeys }) {
      const added = new Set<string>()
      for (const { proposal } of items) {
        const { signatureKey } = proposal.keyPackage.leafNode
        const name = keyName(signatureKey)
        rule(!added.has(name), "list-add-distinct")
        rule(epoch.tree.signatureKeys.count(signatureKey) === 0 || removedKeys.has(name), "list-add-not-member")
        added.add(name)
      }
    },
    leaf: ({ keyPackage }) => ({ leafNode: keyPackage.leafNode, replacesSender: false }),
    keyPackage: ({ keyPackage }) => keyPackage,
    claim: ({ proposal }) => `add ${keyName(proposal.keyPackage.leafNode.signatureKey)}`,
    isTaken({ proposal }, { epoch, removedKeys }) {
      const { signatureKey } = proposal.keyPackage.leafNode
      return epoch.tree.signatureKeys.count(signatureKey) === 0 || removedKeys.has(keyName(signatureKey))
    },
    apply({ proposal: { keyPackage } }, draft) {
      draft.added.set(draft.tree.addLeaf(keyPackage.leafNode), keyPackage)
    },
  },

  // RFC 9420 §12.1.4
  psk: {
    isExternal: true,
    needsPath: false,
    step: "others",
    makes: {
      externalPsk: ({ id }, { environment }) => ({
        type: "psk",
        psk: { psktype: { type: "external", pskId: id }, pskNonce: freshNonce(environment) },
      }),
      resumptionPsk: ({ groupId, epoch }, { environment }) => ({
        type: "psk",
        psk: resumptionId({ groupId, epoch, usage: "application" }, environment),
      }),
    },
    validate({ proposal }, { epoch, origin }) {
      validatePskId(proposal.psk, epoch.suite.secretSize, origin)
    },
    validateAll(items, list) {
      validatePsks(items, list)
    },
    validateExternal(items, context) {
      validatePsks(items, context)
    },
    apply({ proposal }, draft) {
      draft.psks.push(proposal.psk)
    },
  },

  // RFC 9420 §12.1.6
  externalInit: {
    isExternal: false,
    needsPath: true,
    step: "others",
    // Made by whoever joins: see `enter.ts`.
    makes: {},
    validateAll(items) {
      rule(items.length === 0, "list-external-init")
    },
    validateExternal(items) {
      rule(items.length === 1, "external-init-once")
    },
    isTaken: () => false,
    apply({ proposal }, draft) {
      draft.kemOutput = proposal.kemOutput
    },
  },

  // RFC 9420 §12.1.5
  reinit: {
    isExternal: true,
    needsPath: false,
    step: "others",
    makes: {
      reInit: ({ groupId, cipherSuite, extensions }) => ({
        type: "reinit",
        groupId,
        version: 1,
        cipherSuite,
        extensions,
      }),
    },
    validate({ proposal: { groupId, extensions, version } }) {
      requireGroupId(groupId)
      validateExtensionList(extensions, "groupContext")
      rule(version >= 1, "proposal-reinit-version")
    },
    validateAll(items, { length }) {
      rule(items.length === 0 || length === 1, "list-reinit-alone")
    },
    isTaken: (_, { length }) => length === 1,
    apply({ proposal }, draft) {
      draft.reInit = proposal
    },
  },

  // Types of the application: opaque here, and seen in `StagedCommit.registered`.
  registered: {
    isExternal: false,
    needsPath: true,
    step: "others",
    makes: { registered: (change) => change },
  },
}

/** The row of a proposal. The compiler cannot follow that a proposal and its row belong together. */
export const kindOf = ({ type }: Proposal): ProposalKind<any> => proposalKinds[type]

const makers: Readonly<Record<string, (change: any, by: Proposer) => Proposal>> = Object.assign(
  {},
  ...Object.values(proposalKinds).map(({ makes }) => makes),
)

/** The proposal that carries a change. It has not been validated. @throws DecodeError */
export function makeProposal(change: GroupChange, by: Proposer): Proposal {
  return makers[change.type]!(change, by)
}

/** The number by which capabilities list the proposal's type; `undefined` for those that everybody supports. */
export function listedNumber(proposal: Proposal): number | undefined {
  if (proposal.type === "registered") return proposal.number
  const number = ProposalType.values[proposal.type]
  return isDefaultProposal(number) ? undefined : number
}

// --- Of single rows --------------------------------------------------------------------------------------------------

/** Framing lets nobody but a member send what `isExternal` and `isByNewMember` exclude. */
function memberLeaf(sender: Sender): LeafIndex {
  if (sender.type !== "member") throw new TypeError(`a member's proposal by a sender of type ${sender.type}`)
  return sender.leafIndex
}

/** RFC 9420 §7.3: a leaf node that takes the place of another has a new key. */
export function requireNewKey(leaf: LeafNode, before: LeafNode): void {
  rule(!equalBytes(leaf.encryptionKey, before.encryptionKey), "leaf-encryption-key-new")
}

function validatePsks(items: readonly SentOf<"psk">[], { epoch, origin }: ProposalContext): void {
  const ids = items.map(({ proposal }) => proposal.psk)
  validatePskList(ids, epoch.suite.secretSize, origin?.secretSize)
}

/** RFC 9420 §12.1.2: the private key waits until somebody commits the Update. */
function newLeaf(signer: Signer, by: Proposer): LeafNode {
  const { suite, random, policy, capabilities } = by.environment
  const { epoch } = by
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
  by.addUpdate(publicKey, { privateKey, signer })
  return leafNode
}
