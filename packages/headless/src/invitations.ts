/** An invitation that waits for an answer. */
export interface WaitingInvitation {
  readonly by: string
  /** The inviter is in another conversation with the user. */
  readonly known: boolean
  /** Unix time in milliseconds. */
  readonly at: number
}

/**
 * In the order in which they are shown: of people whom the user knows first; then one of each inviter before the second
 * of any, so that nobody pushes others out of sight; the latest first.
 */
export function inOrder<T extends WaitingInvitation>(invitations: readonly T[]): readonly T[] {
  const latestFirst = [...invitations].sort((a, b) => b.at - a.at)
  const seen = new Map<string, number>()
  const ranked = latestFirst.map((invitation) => {
    const rank = seen.get(invitation.by) ?? 0
    seen.set(invitation.by, rank + 1)
    return { invitation, rank }
  })
  return ranked
    .sort((a, b) => Number(b.invitation.known) - Number(a.invitation.known) || a.rank - b.rank)
    .map(({ invitation }) => invitation)
}
