import { encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { nameOf } from "@conclave/identity/verdicts"
import type { GroupProfile, Member, Presented } from "@conclave/mls"
import { Credential, type Proposal } from "@conclave/mls/wire"

/** Proposals of one commit: so many Adds of a member cost everybody less than a quarter of a second. */
const PROPOSALS_MAX = 2_000
/** Names that are invited or removed by one commit: two devices each, on the average. */
export const NAMES_AT_ONCE_MAX = 1_000

/**
 * What a conversation allows of RFC 9420. It depends on bytes alone, so that all members judge alike: a commit that it
 * forbids is passed over by every one of them, and the conversation stays where it was.
 *
 * - Members come by a member's Add and in no other way. There are no external commits: a member's device that lost its
 *   place knocks, and a member takes it out and in again.
 * - A proposal by itself is a member's request to be removed. Whatever else it asks for, nobody carries it out.
 * - A commit adds, removes, and renews its author's path. Pre-shared keys, ReInit, changes of the group's extensions and
 *   others' Updates are not for conversations.
 * - A leaf keeps its name and its key.
 */
export const conversationProfile: GroupProfile = {
  externalCommits: "none",
  proposalAllowed: (proposal, sender) => asksToLeave(proposal, sender),
  committedAllowed: (proposal, { proposer, byReference }) =>
    byReference ? asksToLeave(proposal, proposer) : proposal.type === "add" || proposal.type === "remove",
  credentialAllowed: (credential) => nameOf(credential) !== undefined,
  successorAllowed: (before, after) => isSame(before, after),
  proposalsMax: PROPOSALS_MAX,
}

/** Whether it is a Remove of its own sender. */
export function asksToLeave(proposal: Proposal, sender: Member | undefined): boolean {
  return proposal.type === "remove" && sender !== undefined && proposal.removed === sender.leafIndex
}

function isSame(before: Presented, after: Presented): boolean {
  return (
    equalBytes(before.signatureKey, after.signatureKey) &&
    equalBytes(encode(Credential, before.credential), encode(Credential, after.credential))
  )
}
