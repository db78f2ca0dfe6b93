import type { Client, Conversation } from "@conclave/client/node"
import { shownText } from "@conclave/contracts/names"
import { Failure } from "./failure.js"
import { words } from "./words/words.js"

const ID_PREFIX_MIN = 6
/** Code points of a title in a prompt, a list or a sentence: others choose it, as long as they like. */
export const TITLE_LENGTH_SHOWN = 60

/** What a conversation is called in a terminal; not by its title while it is an invitation: strangers choose it. */
export function labelOf({ title, id, status }: Pick<Conversation, "title" | "id" | "status">): string {
  return title === "" || status === "invited" ? id.slice(0, 8) : shownText(title, TITLE_LENGTH_SHOWN)
}

/** By title, or by the beginning of the id. Throws {@link Failure} where there is none or more than one. */
export function findConversation(client: Client, called: string): Conversation {
  const all = [...client.conversations.values()].filter(isOpen)
  const found = matching(all, called)
  if (found.length === 1) return found[0]!
  const said = words().conversations
  if (found.length > 1) {
    const ids = found.map(({ id }) => id.slice(0, 12)).join(", ")
    throw new Failure(said.several(client.name, found.length, shownText(called, TITLE_LENGTH_SHOWN), ids))
  }
  const waiting = [...client.conversations.values()].filter(({ status }) => status === "invited").length
  if (waiting > 0) {
    throw new Failure(said.onlyInvitations(client.name, shownText(called, TITLE_LENGTH_SHOWN), waiting))
  }
  const others = all.map(labelOf).slice(0, 10).join(", ")
  const remedy = said.make(client.name, /^[^\s"'/]+$/.test(called) ? called : undefined)
  throw new Failure(said.none(client.name, shownText(called, TITLE_LENGTH_SHOWN), others, remedy))
}

export function isCalled(conversation: Conversation, called: string): boolean {
  return matching([conversation], called).length > 0
}

function matching(conversations: readonly Conversation[], called: string): readonly Conversation[] {
  const byTitle = conversations.filter(({ title, status }) => title === called && status !== "invited")
  if (byTitle.length > 0 || called.length < ID_PREFIX_MIN) return byTitle
  return conversations.filter(({ id }) => id.startsWith(called))
}

const closed: ReadonlySet<Conversation["status"]> = new Set(["left", "lost", "stopped", "invited"])
const isOpen = ({ status }: Conversation) => !closed.has(status)
