import { encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { rule } from "../errors.js"
import type { LeafIndex } from "../indexes.js"
import {
  isDefaultExtension,
  isDefaultProposal,
  isProposedLeafSignatureValid,
  LIST_LENGTH_MAX,
  requiredCapabilities,
  validateExtensionList,
  validateLeafNode,
} from "../tree/leaf.js"
import type { RatchetTree } from "../tree/ratchet-tree.js"
import {
  type Extension,
  type KeyPackage,
  type LeafNode,
  PreSharedKeyID,
  type Proposal,
  type ReInit,
  type Sender,
} from "../wire.js"
import { type Epoch, externalSenders, leafRequirements, requireGroupId } from "./epoch.js"
import { validateKeyPackage } from "./key-package.js"
import type { GroupPolicy } from "./policy.js"
import { type GroupProfile, requireProposalAllowed } from "./profile.js"
import type { SentProposal } from "./types.js"

/** The removal of a member, and whose proposal it was. */
export interface AppliedRemoval {
  readonly leafIndex: LeafIndex
  readonly by: SentProposal
}

/** How the new group came to be, where its first Commit may use resumption keys of its origin (RFC 9420 §11.2, §11.3). */
export interface Origin {
  readonly kind: "reinit" | "branch"
  /** KDF.Nh of the group that it continues, in bytes. */
  readonly secretSize: number | undefined
}

export interface ProposalContext {
  readonly epoch: Epoch
  /** `undefined` for an external Commit. */
  readonly committer: LeafIndex | undefined
  readonly origin?: Origin | undefined
}

/** The tree and the group's parameters after a list of proposals (RFC 9420 §12.3). */
export interface AppliedProposals {
  readonly tree: RatchetTree
  readonly extensions: readonly Extension[]
  readonly added: ReadonlyMap<LeafIndex, KeyPackage>
  readonly updated: readonly LeafIndex[]
  readonly removed: readonly LeafIndex[]
  readonly removals: readonly AppliedRemoval[]
  readonly psks: readonly PreSharedKeyID[]
  readonly kemOutput: Uint8Array | undefined
  readonly reInit: ReInit | undefined
  readonly registered: readonly (Proposal & { readonly type: "registered" })[]
}

type OfType<T extends Proposal["type"]> = SentProposal & { readonly proposal: Extract<Proposal, { type: T }> }

export function ofType<T extends Proposal["type"]>(list: readonly SentProposal[], type: T): OfType<T>[] {
  return list.filter((it): it is OfType<T> => it.proposal.type === type)
}

/**
 * RFC 9420 §12.2: everything that can be said of a list of proposals before it is applied.
 *
 * @throws RuleError
 */
export function validateProposalList(list: readonly SentProposal[], context: ProposalContext): void {
  if (context.committer === undefined) validateExternalList(list)
  else validateRegularList(list, context)
  for (const item of list) validateProposal(item, context)
  const psks = ofType(list, "psk").map(({ proposal }) => proposal.psk)
  validatePskList(psks, context.epoch.suite.secretSize, context.origin?.secretSize)
}

function validateRegularList(list: readonly SentProposal[], { epoch, committer }: ProposalContext): void {
  const types = list.map(({ proposal }) => proposal.type)
  rule(!types.includes("externalInit"), "list-external-init")
  rule(!types.includes("reinit") || list.length === 1, "list-reinit-alone")
  const context = types.filter((type) => type === "groupContextExtensions")
  rule(context.length <= 1, "list-one-group-context-extensions")

  const changed = new Set<LeafIndex>()
  const change = (leaf: LeafIndex) => {
    rule(!changed.has(leaf), "list-one-change-per-leaf", `leaf ${leaf}`)
    changed.add(leaf)
  }
  for (const { sender } of ofType(list, "update")) {
    const leaf = memberLeaf(sender)
    rule(leaf !== committer, "list-update-by-committer")
    change(leaf)
  }
  const removed = new Set<string>()
  for (const { proposal } of ofType(list, "remove")) {
    rule(proposal.removed !== committer, "list-remove-of-committer")
    change(proposal.removed)
    const leaf = epoch.tree.leaf(proposal.removed)
    if (leaf !== undefined) removed.add(leaf.signatureKey.join())
  }
  const added = new Set<string>()
  for (const { proposal } of ofType(list, "add")) {
    const { signatureKey } = proposal.keyPackage.leafNode
    const name = signatureKey.join()
    rule(!added.has(name), "list-add-distinct")
    rule(epoch.tree.signatureKeys.count(signatureKey) === 0 || removed.has(name), "list-add-not-member")
    added.add(name)
  }
}

/** RFC 9420 §12.2, the second list. */
function validateExternalList(list: readonly SentProposal[]): void {
  const count = (type: Proposal["type"]) => ofType(list, type).length
  rule(count("externalInit") === 1, "external-init-once")
  rule(count("remove") <= 1, "external-remove-once")
  const allowed = count("externalInit") + count("remove") + count("psk")
  rule(list.length === allowed, "external-proposal-types")
}

/**
 * RFC 9420 §12.1: one proposal by itself, before it is applied.
 *
 * @throws RuleError
 */
export function validateProposal({ proposal, sender }: SentProposal, { epoch, origin }: ProposalContext): void {
  const { suite, tree, context } = epoch
  switch (proposal.type) {
    case "add":
      validateKeyPackage(suite, proposal.keyPackage)
      return
    case "update": {
      const leafIndex = memberLeaf(sender)
      rule(proposal.leafNode.leafNodeSource.type === "update", "leaf-source-update")
      requireNewKey(proposal.leafNode, tree.leaf(leafIndex)!)
      const position = { groupId: context.groupId, leafIndex }
      rule(isProposedLeafSignatureValid(suite, proposal.leafNode, position), "leaf-signature")
      return
    }
    case "remove":
      rule(tree.leaf(proposal.removed) !== undefined, "proposal-remove-member", `leaf ${proposal.removed}`)
      return
    case "psk":
      validatePskId(proposal.psk, suite.secretSize, origin)
      return
    case "reinit":
      requireGroupId(proposal.groupId)
      validateExtensionList(proposal.extensions, "groupContext")
      rule(proposal.version >= 1, "proposal-reinit-version")
      return
    case "groupContextExtensions":
      validateExtensionList(proposal.extensions, "groupContext")
      requiredCapabilities(proposal.extensions)
      for (const { signatureKey } of externalSenders(proposal.extensions)) {
        rule(suite.signature.isPublicKey(signatureKey), "key-signature-valid")
      }
      return
    case "registered":
    case "externalInit":
      return
  }
}

/**
 * RFC 9420 §7.3: the leaf node that an Add or an Update proposes, by itself: what the group asks of it is what holds
 * when it is committed. `now` is given by whoever sends.
 *
 * @throws RuleError
 */
export function validateProposedLeaf(proposal: Proposal, epoch: Epoch, policy: GroupPolicy, now?: bigint): void {
  if (proposal.type !== "add" && proposal.type !== "update") return
  const leafNode = proposal.type === "add" ? proposal.keyPackage.leafNode : proposal.leafNode
  validateLeafNode(leafNode, leafRequirements(epoch.suite, [], policy, now))
  if (proposal.type === "update") return
  // No place in a group is signed with the leaf node of a key package.
  const position = { groupId: epoch.context.groupId, leafIndex: epoch.ownLeafIndex }
  rule(isProposedLeafSignatureValid(epoch.suite, leafNode, position), "leaf-signature")
}

/**
 * RFC 9420 §7.3, §12.2: what a member proposes can be committed as the group is now. A Commit that removes whoever does
 * not support a proposal's type may still take it in.
 *
 * @throws RuleError
 */
export function validateOwnProposal(
  proposal: Proposal,
  epoch: Epoch,
  { policy, profile }: { readonly policy: GroupPolicy; readonly profile: GroupProfile },
  now: bigint,
): void {
  const sender = { type: "member" as const, leafIndex: epoch.ownLeafIndex }
  requireProposalAllowed(profile, { proposal, sender }, epoch)
  validateProposedLeaf(proposal, epoch, policy, now)
  if (proposal.type !== "registered") return
  rule(epoch.tree.census.allSupport("proposals", proposal.number), "proposal-type-supported")
}

/** Of an Update: framing lets no others than members send one. */
function memberLeaf(sender: Sender): LeafIndex {
  if (sender.type !== "member") throw new TypeError(`an Update by a sender of type ${sender.type}`)
  return sender.leafIndex
}

/** RFC 9420 §7.3: a leaf node that takes the place of another has a new key. */
export function requireNewKey(leaf: LeafNode, before: LeafNode): void {
  rule(!equalBytes(leaf.encryptionKey, before.encryptionKey), "leaf-encryption-key-new")
}

/**
 * RFC 9420 §8.4, §12.2: the pre-shared keys of a Commit, and of the Welcome to it. `originSecretSize`: KDF.Nh of the group
 * that was reinitialised, in bytes.
 *
 * @throws RuleError
 */
export function validatePskList(
  ids: readonly PreSharedKeyID[],
  secretSize: number,
  originSecretSize: number | undefined,
): void {
  rule(ids.length <= LIST_LENGTH_MAX, "psk-count")
  for (const id of ids) requireNonceLength(id, secretSize, originSecretSize)
  const names = ids.map((id) => encode(PreSharedKeyID, id).join())
  rule(new Set(names).size === names.length, "psk-distinct")
}

function validatePskId(id: PreSharedKeyID, secretSize: number, origin: Origin | undefined): void {
  requireNonceLength(id, secretSize, origin?.secretSize)
  const { psktype } = id
  const forNewGroup = psktype.type === "resumption" && psktype.usage !== "application"
  rule(!forNewGroup || psktype.usage === origin?.kind, "psk-usage")
}

/**
 * RFC 9420 §8.4, §12.1.4: KDF.Nh of the group in which the key is used. Where a ReInit has changed the hash function,
 * some clients draw the nonce of the link with that of the old group; nothing depends on which of the two it is.
 */
function requireNonceLength(
  { psktype, pskNonce }: PreSharedKeyID,
  secretSize: number,
  originSecretSize: number | undefined,
): void {
  const isLink = psktype.type === "resumption" && psktype.usage === "reinit"
  rule(pskNonce.length === secretSize || (isLink && pskNonce.length === originSecretSize), "psk-nonce-length")
}

/** RFC 9420 §12.3: applies a valid list in the order that the RFC lays down, to a draft of the next tree. */
export function applyProposals(list: readonly SentProposal[], { epoch }: ProposalContext): AppliedProposals {
  const tree = epoch.tree.draft()
  const [newExtensions] = ofType(list, "groupContextExtensions")
  const extensions = newExtensions?.proposal.extensions ?? epoch.context.extensions

  const updated: LeafIndex[] = []
  for (const { proposal, sender } of ofType(list, "update")) {
    const leaf = memberLeaf(sender)
    tree.updateLeaf(leaf, proposal.leafNode)
    updated.push(leaf)
  }
  const removals = ofType(list, "remove").map((by) => ({ leafIndex: by.proposal.removed, by }))
  const removed = removals.map(({ leafIndex }) => leafIndex)
  for (const leaf of removed) tree.removeLeaf(leaf)
  tree.truncate()
  const registered = ofType(list, "registered").map(({ proposal }) => proposal)
  // RFC 9420 §12.2: members who are removed or added need not support a proposal's type.
  for (const { number } of registered) {
    rule(tree.census.allSupport("proposals", number), "proposal-type-supported")
  }
  const added = new Map<LeafIndex, KeyPackage>()
  for (const { proposal } of ofType(list, "add")) {
    added.set(tree.addLeaf(proposal.keyPackage.leafNode), proposal.keyPackage)
  }
  return {
    tree,
    extensions,
    added,
    updated,
    removed,
    removals,
    psks: ofType(list, "psk").map(({ proposal }) => proposal.psk),
    kemOutput: ofType(list, "externalInit")[0]?.proposal.kemOutput,
    reInit: ofType(list, "reinit")[0]?.proposal,
    registered,
  }
}

/**
 * RFC 9420 §12.1.7: everybody who is in the group after the Commit supports the extensions that it sets.
 *
 * @throws RuleError
 */
export function validateExtensions(tree: RatchetTree, extensions: readonly Extension[]): void {
  const { census } = tree
  const everybodyHas = (type: number) => isDefaultExtension(type) || census.allSupport("extensions", type)
  for (const { extensionType } of extensions) rule(everybodyHas(extensionType), "proposal-required-capabilities")
  const required = requiredCapabilities(extensions)
  if (required === undefined) return
  rule(
    required.extensionTypes.every(everybodyHas) &&
      required.proposalTypes.every((type) => isDefaultProposal(type) || census.allSupport("proposals", type)) &&
      required.credentialTypes.every((type) => census.allSupport("credentials", type)),
    "proposal-required-capabilities",
  )
}

/** RFC 9420 §12.4: whether a Commit of these proposals needs an UpdatePath. */
export function isPathRequired(list: readonly SentProposal[]): boolean {
  return list.length === 0 || list.some(({ proposal }) => !["add", "psk", "reinit"].includes(proposal.type))
}
