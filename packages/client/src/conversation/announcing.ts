import { equalBytes } from "@conclave/crypto"
import { nameOf } from "@conclave/identity/verdicts"
import type { Member, StagedCommit } from "@conclave/mls"
import { tellRemoved } from "./revoked.js"
import type { Turn } from "./turn.js"

/** What a commit means for the members that people see. `before`: their names. */
export function announce(turn: Turn, staged: StagedCommit, before: readonly string[]): void {
  const { names, id: conversation } = turn.state
  const by = nameOfMember(staged.committer)
  const added = without(names, before)
  const gone = new Set(without(before, names))
  const left = namesOf(
    staged.removals.flatMap(({ member, proposedBy, byReference }) =>
      byReference && proposedBy?.leafIndex === member.leafIndex ? [member] : [],
    ),
  ).filter((name) => gone.has(name))
  const removed = [...gone].filter((name) => !left.includes(name))
  const rejoined = namesOf(staged.added.filter((it) => isAmong(staged.removed, it)))
  const isRevoked = tellRemoved(turn, staged.removed, staged.committer)
  if (added.length + gone.size + rejoined.length === 0 && isRevoked) return
  if (added.length + gone.size + rejoined.length === 0) turn.emit({ type: "refreshed", conversation, by })
  else turn.emit({ type: "members", conversation, by, added, removed, left, rejoined })
}

/** Empty for one without a name. */
export const nameOfMember = (member: Member | undefined) => (member && nameOf(member.credential)) ?? ""

function namesOf(members: readonly Member[]): readonly string[] {
  return [...new Set(members.flatMap(({ credential }) => nameOf(credential) ?? []))]
}

export function without(names: readonly string[], others: readonly string[]): readonly string[] {
  if (names === others) return []
  const left = new Set(others)
  return names.filter((name) => !left.has(name))
}

/** Whether one of the members has the key. */
export const isAmong = (members: readonly Member[], { signatureKey }: Pick<Member, "signatureKey">): boolean =>
  members.some((it) => equalBytes(it.signatureKey, signatureKey))
