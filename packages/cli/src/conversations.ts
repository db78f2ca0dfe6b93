import type { Client, Conversation } from "@conclave/client/node"
import { shownText } from "@conclave/contracts/names"
import { Failure } from "./failure.js"

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
  if (found.length > 1) {
    const ids = found.map(({ id }) => id.slice(0, 12)).join(", ")
    throw new Failure(
      `${client.name} has ${found.length} conversations called "${shownText(called, TITLE_LENGTH_SHOWN)}"; use an id: ${ids}`,
    )
  }
  const waiting = [...client.conversations.values()].filter(({ status }) => status === "invited").length
  if (waiting > 0) {
    throw new Failure(
      `${client.name} has no conversation "${shownText(called, TITLE_LENGTH_SHOWN)}", but ${waiting === 1 ? "an invitation" : `${waiting} invitations`} ` +
        `without an answer: /accept in conclave chat --as ${client.name}, or --accept-invitations`,
    )
  }
  const others = all.map(labelOf).slice(0, 10).join(", ")
  const remedy = /^[^\s"'/]+$/.test(called)
    ? `to make it: echo "/new ${called} NAME" | conclave chat --as ${client.name}`
    : "/new in conclave chat makes one"
  const known = others === "" ? "" : `, but ${others}`
  throw new Failure(`${client.name} has no conversation "${shownText(called, TITLE_LENGTH_SHOWN)}"${known}; ${remedy}`)
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
