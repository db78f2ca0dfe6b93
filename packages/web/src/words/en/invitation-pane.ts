/** One invitation, before it is answered. */
export const invitationPane = {
  headline: (who: string) => `${who} invites you to a conversation`,
  back: "All conversations",
  inIt: "Who is in it",
  more: (count: number) => `and ${count} more.`,
  accept: "Accept",
  decline: "Decline",
  block: "Block",
  blockTitle: (who: string) => `Block ${who}?`,
  blocked: (who: string) => `${who} is blocked.`,
  blockMeans:
    "This invitation and all others by them are declined. What they say in groups with others is not shown to you; there you can unblock them. They are not told.",
  seen: "You see title and messages after you have accepted.",
  takesPlace:
    "If you accept, it takes the place of the old conversation, whose messages stay, and what you have still to send is sent there.",
  declined: "If you decline, the invitation is gone, and the members are told.",
  stranger: "You have no conversation with them: be sure that you know who it is.",
  mixed: (count: number) =>
    `${count === 1 ? "A name" : `${count} names`} here mixes letters of different alphabets, and may imitate the name of somebody else. Ask in another way before you accept.`,
  looksLike: (who: string) =>
    `This name looks like that of ${who}. It may be the same person under a new name, or somebody who imitates them. Ask ${who} in another way before you accept.`,
  known: (titles: string) => `You talk with them already, in ${titles}.`,
  moreTitles: (count: number) => `${count} more`,
}
