import { list } from "./words.js"

/** What stands around invitations. */
export const invitationWords = {
  region: "Invitation",
  list: "Invitations",
  fewer: "Show fewer",
  all: (count: number) => `Show all ${count}`,
  invites: "invites you",
  asks: "asks you to go on in a new group",
  withOne: (who: string) => `, with ${who}`,
  withOthers: (count: number) => `, with ${count} others`,
  somebody: "Somebody",
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
  stranger: "You have no conversation with them yet: be sure that you know who it is.",
}

/** `count` names here are marked. */
export function imitationWords(count: number): string {
  return `${count === 1 ? "A name" : `${count} names`} here mixes letters of different alphabets, and may imitate the name of somebody else. Ask in another way before you accept.`
}

/** `titles`: of the conversations that the user shares with the inviter, some of them. */
export function acquaintanceWords(titles: readonly string[], more: number): string {
  if (titles.length === 0) return invitationWords.stranger
  const shown = titles.map((it) => `“${it}”`)
  return `You talk with them already, in ${list([...shown, ...(more > 0 ? [`${more} more`] : [])])}.`
}
