import { encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { rule } from "../errors.js"
import type { LeafIndex } from "../indexes.js"
import { Credential, type Proposal, type Sender } from "../wire.js"
import { type Epoch, memberAt } from "./epoch.js"
import { kindOf } from "./proposal-kinds.js"
import type { Member, SentProposal } from "./types.js"

/** What a leaf node presents. */
export type Presented = Pick<Member, "credential" | "signatureKey">

/** How a proposal stands in a Commit. */
export interface CommittedBy {
  readonly committer: Member
  /** Who made the proposal: the committer where it stands by value, `undefined` for somebody outside the group. */
  readonly proposer: Member | undefined
  /** Whether the proposal was sent before, and the Commit only names it. */
  readonly byReference: boolean
}

/**
 * What an application allows of all that RFC 9420 does. Every member of a group must have the same profile: what it
 * forbids is refused by all of them alike, and by whoever would send it.
 *
 * The functions must be pure and must not throw: what they say may depend on their arguments alone, never on the time,
 * on a directory, or on what this member happens to know.
 */
export interface GroupProfile {
  /**
   * Who may let itself in by an external Commit (RFC 9420 §12.4.3.2). `rejoin`: whoever takes the place of a leaf with
   * byte for byte the same credential and the same signature key. Such a Commit has its ExternalInit and this one Remove,
   * and nothing else.
   */
  readonly externalCommits: "any" | "rejoin" | "none"
  /** A proposal that is sent by itself. One that is refused is not kept, and no Commit can name it. */
  proposalAllowed(proposal: Proposal, sender: Member | undefined): boolean
  /** A proposal in a member's Commit. Those of an external Commit are up to `externalCommits`. */
  committedAllowed(proposal: Proposal, by: CommittedBy): boolean
  /**
   * Most proposals of a Commit; without it as many as fit into a message. Each Add costs every receiver the verification
   * of two signatures, 0.1 ms.
   */
  readonly proposalsMax?: number
  /** Every leaf node of the group: in an Add, an Update, an UpdatePath, and in the tree that a joiner is given. */
  credentialAllowed(credential: Credential): boolean
  /** An Update or an UpdatePath puts `after` in the place of `before`; an external Commit does so with what it removes. */
  successorAllowed(before: Member, after: Presented): boolean
}

/** All that RFC 9420 allows. */
export const unrestrictedProfile: GroupProfile = {
  externalCommits: "any",
  proposalAllowed: () => true,
  committedAllowed: () => true,
  credentialAllowed: () => true,
  successorAllowed: () => true,
}

/** A proposal by itself. @throws RuleError profile-… */
export function requireProposalAllowed(profile: GroupProfile, { proposal, sender }: SentProposal, epoch: Epoch): void {
  const from = memberOfSender(epoch, sender)
  rule(profile.proposalAllowed(proposal, from), "profile-proposal", proposal.type)
  requireProposedLeafAllowed(profile, proposal, from)
}

/** What a Commit contains, before anything is computed of it. */
export interface CommitOutline {
  readonly proposals: readonly SentProposal[]
  /** `undefined` for somebody who joins by the Commit. */
  readonly committer: LeafIndex | undefined
  /** What the leaf node of the UpdatePath presents, where there is one. */
  readonly pathLeaf: Presented | undefined
}

/** @throws RuleError profile-… */
export function requireCommitAllowed(profile: GroupProfile, commit: CommitOutline, epoch: Epoch): void {
  const { proposals, pathLeaf } = commit
  const { proposalsMax = Number.POSITIVE_INFINITY } = profile
  rule(proposals.length <= proposalsMax, "profile-proposals-length", `${proposals.length} proposals`)
  if (commit.committer === undefined) {
    requireExternalCommitAllowed(profile, commit, epoch)
    return
  }
  // Framing has seen that the sender is a member.
  const committer = memberAt(epoch.tree, commit.committer)!
  for (const item of proposals) {
    const { proposal } = item
    const byReference = item.ref !== undefined
    if (byReference) requireProposalAllowed(profile, item, epoch)
    const proposer = memberOfSender(epoch, item.sender)
    const allowed = profile.committedAllowed(proposal, { committer, proposer, byReference })
    rule(allowed, "profile-committed-proposal", proposal.type)
    if (!byReference) requireProposedLeafAllowed(profile, proposal, proposer)
  }
  if (pathLeaf) requireLeafAllowed(profile, pathLeaf, committer)
}

function requireExternalCommitAllowed(profile: GroupProfile, commit: CommitOutline, epoch: Epoch): void {
  const { proposals, pathLeaf } = commit
  const removed: Member[] = []
  for (const item of proposals) {
    const leafIndex = kindOf(item.proposal).removes?.(item)
    const member = leafIndex === undefined ? undefined : memberAt(epoch.tree, leafIndex)
    if (member) removed.push(member)
  }
  const allowed =
    profile.externalCommits === "any" ||
    (profile.externalCommits === "rejoin" && pathLeaf !== undefined && isRejoin(proposals, removed, pathLeaf))
  rule(allowed, "profile-external-commit")
  if (pathLeaf) requireLeafAllowed(profile, pathLeaf, removed[0])
}

function isRejoin(proposals: readonly SentProposal[], removed: readonly Member[], leaf: Presented): boolean {
  const old = removed[0]
  return (
    old !== undefined &&
    proposals.length === 2 &&
    proposals.some(({ proposal }) => proposal.type === "externalInit") &&
    equalBytes(old.signatureKey, leaf.signatureKey) &&
    equalBytes(encode(Credential, old.credential), encode(Credential, leaf.credential))
  )
}

function requireProposedLeafAllowed(profile: GroupProfile, proposal: Proposal, sender: Member | undefined): void {
  const proposed = kindOf(proposal).leaf?.(proposal)
  if (proposed) requireLeafAllowed(profile, proposed.leafNode, proposed.replacesSender ? sender : undefined)
}

function requireLeafAllowed(profile: GroupProfile, leaf: Presented, before: Member | undefined): void {
  requireCredentialAllowed(profile, leaf.credential)
  if (before === undefined) return
  const { credential, signatureKey } = leaf
  rule(profile.successorAllowed(before, { credential, signatureKey }), "profile-successor")
}

/** @throws RuleError profile-credential */
export function requireCredentialAllowed(profile: GroupProfile, credential: Credential): void {
  rule(profile.credentialAllowed(credential), "profile-credential")
}

const memberOfSender = (epoch: Epoch, sender: Sender): Member | undefined =>
  sender.type === "member" ? memberAt(epoch.tree, sender.leafIndex) : undefined
