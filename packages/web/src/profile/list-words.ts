import type { ConversationSummary } from "@conclave/headless/browser"
import { words } from "../words/words.js"
import { type People, personOr } from "./words.js"

/** Nothing has been said in it that this device knows. */
export function nothingSaidWords({ pending }: ConversationSummary): string {
  return pending > 0 ? words().list.notSent : words().list.nothingSaid
}

/** What there is to say of a conversation in which not everything is as it should be. */
export function stateWords({ status, removedBy }: ConversationSummary, people: People): string | undefined {
  switch (status) {
    case "active":
      return undefined
    case "left":
      return leftWords(removedBy, people)
    default:
      return words().list.states[status]
  }
}

function leftWords(removedBy: string | undefined, people: People): string {
  const { list } = words()
  if (removedBy === people.name) return list.left
  return removedBy === undefined || removedBy === "" ? list.notMember : list.removedBy(personOr(removedBy, "", people))
}
