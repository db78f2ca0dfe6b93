import type { ConversationSummary } from "@conclave/headless/browser"
import { isolated, type People, personOr } from "./words.js"

/** What stands in the list of conversations. */
export const listWords = {
  region: "Conversations",
  create: "New conversation",
  none: "No conversations yet.",
  archive: "Archived conversations",
  archived: "Archived",
  displayName: "Change your display name",
  muted: " muted",
  unread: " unread",
  draft: "Draft:",
  you: "You",
}

export function emptyWords(name: string): string {
  return `Create one and invite people by name, or tell others that you are “${isolated(name)}” here.`
}

export function answerWords(invitations: number): string {
  return `Answer ${invitations === 1 ? "the invitation" : "an invitation"} above, or create a conversation.`
}

/** Nothing has been said in it that this device knows. */
export function nothingSaidWords({ pending }: ConversationSummary): string {
  return pending > 0 ? "Not sent yet" : "No messages yet"
}

/** What there is to say of a conversation in which not everything is as it should be. */
export function stateWords({ status, removedBy }: ConversationSummary, people: People): string | undefined {
  switch (status) {
    case "invited":
      return "You are invited"
    case "creating":
      return "Being created"
    case "left":
      return leftWords(removedBy, people)
    case "leaving":
      return "Leaving"
    case "halted":
      return "Stopped: a key has changed"
    case "recovering":
      return "Waiting to be let back in"
    case "stopped":
      return "Locked: go on in a new group"
    case "continued":
      return "Goes on in a new group"
    case "lost":
      return "Lost: ask to be invited again"
    case "active":
      return undefined
  }
}

function leftWords(removedBy: string | undefined, people: People): string {
  if (removedBy === people.name) return "You left"
  return removedBy === undefined || removedBy === ""
    ? "You are no longer a member"
    : `Removed by ${personOr(removedBy, "", people)}`
}
