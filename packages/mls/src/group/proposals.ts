import { rule } from "../errors.js"
import type { LeafIndex } from "../indexes.js"
import type { Sliced } from "../slices.js"
import type { CipherSuite } from "../suite/suite.js"
import { inParts } from "../suite/together.js"
import { keyName } from "../tree/key-index.js"
import {
  isDefaultExtension,
  isDefaultProposal,
  isProposedLeafSignatureValid,
  requiredCapabilities,
  validateLeafNode,
} from "../tree/leaf.js"
import type { RatchetTree } from "../tree/ratchet-tree.js"
import type { Extension, KeyPackage, Proposal } from "../wire.js"
import { type Epoch, leafRequirements } from "./epoch.js"
import { KEY_PACKAGES_TOGETHER, verifyTogether } from "./key-package.js"
import type { GroupPolicy } from "./policy.js"
import { type GroupProfile, requireProposalAllowed } from "./profile.js"
import {
  applicationSteps,
  kindOf,
  listedNumber,
  type ProposalContext,
  type ProposalDraft,
  type ProposalKind,
  proposalKinds,
} from "./proposal-kinds.js"
import type { SentProposal } from "./types.js"

/** The tree and the group's parameters after a list of proposals (RFC 9420 §12.3). */
export interface AppliedProposals extends Readonly<ProposalDraft> {
  readonly list: readonly SentProposal[]
  readonly removed: readonly LeafIndex[]
}

const kinds = Object.entries(proposalKinds) as unknown as readonly (readonly [Proposal["type"], ProposalKind<any>])[]
const kindsByStep = applicationSteps.map((step) => [step, kinds.filter(([, kind]) => kind.step === step)] as const)

/**
 * RFC 9420 §12.2: everything that can be said of a list of proposals before it is applied.
 *
 * @throws RuleError
 */
export function* validateProposalList(list: readonly SentProposal[], context: ProposalContext): Sliced<void> {
  if (context.committer === undefined) validateExternalList(list, context)
  else validateMemberList(list, context)
  for (const part of inParts(list, KEY_PACKAGES_TOGETHER)) {
    verifyAdded(
      context.epoch.suite,
      part.map(({ proposal }) => proposal),
    )
    for (const item of part) {
      yield
      validateProposal(item, context)
    }
  }
}

/** Verifies together what many Adds have signed; they are validated all the same, and each that is not valid refused. */
export function verifyAdded(suite: CipherSuite, proposals: readonly Proposal[]): void {
  const keyPackages = keyPackagesAmong(proposals)
  if (keyPackages.length > 1) verifyTogether(suite, keyPackages)
}

/** The key packages that they bring. */
export const keyPackagesAmong = (proposals: readonly Proposal[]): readonly KeyPackage[] =>
  proposals.flatMap((proposal) => kindOf(proposal).keyPackage?.(proposal) ?? [])

/** RFC 9420 §12.2, the first list. */
function validateMemberList(list: readonly SentProposal[], context: ProposalContext): void {
  const changed = new Set<LeafIndex>()
  const change = (leaf: LeafIndex) => {
    rule(!changed.has(leaf), "list-one-change-per-leaf", `leaf ${leaf}`)
    changed.add(leaf)
  }
  const { removedKeys } = removalsOf(list, context.epoch)
  const items = byType(list)
  const { epoch, committer, origin } = context
  const members = { epoch, committer, origin, length: list.length, removedKeys, change }
  for (const [type, { validateAll }] of kinds) validateAll?.(items(type), members)
}

/** RFC 9420 §12.2, the second list. */
function validateExternalList(list: readonly SentProposal[], context: ProposalContext): void {
  const items = byType(list)
  for (const [type, { validateExternal }] of kinds) validateExternal?.(items(type), context)
  const isAllowed = ({ proposal }: SentProposal) => kindOf(proposal).validateExternal !== undefined
  rule(list.every(isAllowed), "external-proposal-types")
}

function byType(list: readonly SentProposal[]): (type: Proposal["type"]) => readonly SentProposal[] {
  const lists = new Map<Proposal["type"], SentProposal[]>()
  for (const item of list) {
    const others = lists.get(item.proposal.type)
    if (others === undefined) lists.set(item.proposal.type, [item])
    else others.push(item)
  }
  return (type) => lists.get(type) ?? []
}

/** The leaves that a list of proposals blanks, and the signature keys of those who are there, by {@link keyName}. */
export function removalsOf(
  list: readonly SentProposal[],
  { tree }: Epoch,
): { readonly removed: ReadonlySet<LeafIndex>; readonly removedKeys: ReadonlySet<string> } {
  const removed = new Set(list.flatMap((item): LeafIndex | readonly [] => kindOf(item.proposal).removes?.(item) ?? []))
  const removedKeys = new Set([...removed].flatMap((leaf) => signatureKeyName(tree, leaf)))
  return { removed, removedKeys }
}

function signatureKeyName(tree: RatchetTree, index: LeafIndex): string | readonly [] {
  const leaf = tree.leaf(index)
  return leaf === undefined ? [] : keyName(leaf.signatureKey)
}

/**
 * RFC 9420 §12.1: one proposal by itself, before it is applied.
 *
 * @throws RuleError
 */
export function validateProposal(item: SentProposal, context: ProposalContext): void {
  kindOf(item.proposal).validate?.(item, context)
}

/**
 * RFC 9420 §7.3: the leaf node that an Add or an Update proposes, by itself: what the group asks of it is what holds
 * when it is committed. `now` is given by whoever sends.
 *
 * @throws RuleError
 */
export function validateProposedLeaf(proposal: Proposal, epoch: Epoch, policy: GroupPolicy, now?: bigint): void {
  const proposed = kindOf(proposal).leaf?.(proposal)
  if (proposed === undefined) return
  const { leafNode, replacesSender } = proposed
  validateLeafNode(leafNode, leafRequirements(epoch.suite, [], policy, now))
  if (replacesSender) return
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
  rule(isSupported(proposal, epoch.tree), "proposal-type-supported")
}

/** RFC 9420 §12.2: whether all members of a tree support the type of a proposal. */
export function isSupported(proposal: Proposal, { census }: RatchetTree): boolean {
  const number = listedNumber(proposal)
  return number === undefined || census.allSupport("proposals", number)
}

/**
 * RFC 9420 §12.3: applies a valid list in the order that the RFC lays down, to a draft of the next tree. The hashes of the
 * draft are known then.
 */
export function* applyProposals(list: readonly SentProposal[], { epoch }: ProposalContext): Sliced<AppliedProposals> {
  const draft: ProposalDraft = {
    tree: epoch.tree.draft(),
    extensions: epoch.context.extensions,
    added: new Map(),
    updated: [],
    removals: [],
    psks: [],
    kemOutput: undefined,
    reInit: undefined,
  }
  const items = byType(list)
  for (const [step, ofStep] of kindsByStep) {
    for (const [type, { apply }] of list.length === 0 ? [] : ofStep) {
      if (apply === undefined) continue
      for (const item of items(type)) {
        apply(item, draft)
        yield
      }
    }
    if (step !== "removals") continue
    draft.tree.truncate()
    // RFC 9420 §12.2: members who are removed or added need not support a proposal's type.
    for (const { proposal } of list) rule(isSupported(proposal, draft.tree), "proposal-type-supported")
  }
  yield* draft.tree.hashInSlices()
  const { tree, extensions, added, updated, removals, psks, kemOutput, reInit } = draft
  const removed = removals.map(({ leafIndex }) => leafIndex)
  return { tree, extensions, added, updated, removals, psks, kemOutput, reInit, list, removed }
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
  return list.length === 0 || list.some(({ proposal }) => kindOf(proposal).needsPath)
}
