import type { Client, Conversation } from "@conclave/client"
import type { Notice } from "./notice.js"

/** The one in the list: of a conversation that goes on in a new group, that group. */
export function newestOf(conversation: Conversation): Conversation {
  return conversation.continuedBy === undefined ? conversation : newestOf(conversation.continuedBy)
}

/** Resolves when the new group is in the list. */
export async function restarted(
  client: Pick<Client, "observe">,
  conversation: Conversation,
  without: readonly string[],
): Promise<Conversation> {
  const made = conversation.restart({ without })
  // What fails after that is told by an event.
  made.catch(() => {})
  let stop = () => {}
  const listed = new Promise<Conversation>((resolve) => {
    stop = client.observe(() => conversation.continuedBy !== undefined && resolve(conversation.continuedBy))
  })
  return Promise.race([made, listed]).finally(stop)
}

/** Who has locked the others out, if that is a member whom `name` can leave out. */
export function stoppedBy(
  { members }: Pick<Conversation, "members">,
  notices: readonly Notice[],
  name: string,
): string | undefined {
  const told = notices.findLast(({ event }) => event.type === "stopped")?.event
  const by = told?.type === "stopped" ? told.by : ""
  return by !== name && members.includes(by) ? by : undefined
}
