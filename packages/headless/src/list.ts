import type { Client, ContinuedConversation, Conversation, ConversationStatus } from "@conclave/client"
import { inOrder } from "./invitations.js"
import type { Kept } from "./kept.js"
import type { ThreadMessage } from "./messages.js"
import type { Notice } from "./notice.js"
import { noFlags, nothingArrived, nothingRead } from "./records.js"
import { stoppedBy } from "./restarting.js"

/** A conversation in the list. */
export interface ConversationSummary {
  readonly id: string
  readonly title: string
  readonly status: ConversationStatus
  readonly missing: boolean
  readonly members: readonly string[]
  /** Of somebody who is not blocked; `undefined` where there is none, or none has been read yet. */
  readonly last: ThreadMessage | undefined
  /** Own messages that are not sent yet. */
  readonly pending: number
  readonly hasDraft: boolean
  /** Messages of others that the user has not seen. */
  readonly unread: number
  /** It is not counted in {@link HeadlessSnapshot.unread}, and stays archived when something comes. */
  readonly isMuted: boolean
  readonly isArchived: boolean
  /** Where `status` is `left`: who removed this person, or this person's own name; empty where that is not known. */
  readonly removedBy: string | undefined
  /** Where `status` is `stopped`: who has locked the others out, if that is a member whom the user can leave out. */
  readonly stoppedBy: string | undefined
  /** Unix time in milliseconds, by this device's clock: when something was last told of it. 0 where nothing was. */
  readonly changedAt: number
}

/** An invitation that waits for an answer. Of the conversation nothing is told that a stranger has written. */
export interface InvitationSummary {
  readonly id: string
  /** Who signed it; empty where that is not known. */
  readonly by: string
  /** The inviter is in another conversation with the user. */
  readonly known: boolean
  readonly members: readonly string[]
  /** See `Conversation.invitedToContinue`. */
  readonly continues:
    | (Pick<ContinuedConversation, "by" | "added" | "removed" | "known"> & { readonly id: string })
    | undefined
  readonly at: number
}

export interface ListParts {
  readonly client: Client
  readonly kept: Kept
  readonly lastOf: (id: string) => ThreadMessage | undefined
  readonly now: number
}

/** Those that the user is or was in, and has not deleted: what was told of last comes first. */
export function listOf(parts: ListParts): readonly ConversationSummary[] {
  const { client, kept } = parts
  return [...client.conversations.values()]
    .filter(({ id, status }) => status !== "invited" && kept.get("flags", id)?.isDeleted !== true)
    .map((conversation) => summaryOf(conversation, parts))
    .sort((a, b) => b.changedAt - a.changedAt)
}

/** Of people whom the user knows first; nobody pushes others out of sight. Of blocked people, none. */
export function invitationsOf(
  { client, kept }: ListParts,
  conversations: readonly ConversationSummary[],
): readonly InvitationSummary[] {
  const blocked = kept.all("blocked")
  const waiting = [...client.conversations.values()].filter(({ status }) => status === "invited")
  const known = new Set(waiting.length === 0 ? [] : conversations.flatMap(({ members }) => members))
  const invitations = waiting
    .map((conversation): InvitationSummary => {
      const { id, invitedBy: by = "", members } = conversation
      const at = kept.get("arrived", id)?.changedAt ?? 0
      return { id, by, known: known.has(by), members: [...members], continues: continuedBy(conversation), at }
    })
    .filter(({ by }) => !blocked.has(by))
  return inOrder(invitations)
}

export function unreadOf(kept: Kept, id: string): number {
  const { count } = kept.get("arrived", id) ?? nothingArrived
  return Math.max(0, count - (kept.get("read", id) ?? nothingRead).count)
}

function summaryOf(conversation: Conversation, { client, kept, lastOf, now }: ListParts): ConversationSummary {
  const { id, title, status, missing, members, pending } = conversation
  const { isMuted = false, isArchived = false } = kept.get("flags", id) ?? noFlags
  const notices = kept.get("notices", id) ?? []
  const last = lastOf(id)
  // Of what an earlier version has kept no time of arrival, the sender's clock says it, but nothing in the future.
  const changedAt =
    kept.get("arrived", id)?.changedAt ?? (last === undefined ? 0 : Math.min(last.sentAt.getTime(), now))
  return {
    ...{ id, title, status, missing, members: [...members], last, pending: pending.length },
    hasDraft: kept.get("draft", id) !== undefined,
    unread: unreadOf(kept, id),
    ...{ isMuted, isArchived, changedAt },
    removedBy: status === "left" ? removedBy(notices) : undefined,
    stoppedBy: status === "stopped" ? stoppedBy(conversation, notices, client.name) : undefined,
  }
}

function removedBy(notices: readonly Notice[]): string {
  const event = notices.findLast((notice) => notice.event.type === "left")?.event
  return event?.type === "left" ? event.by : ""
}

function continuedBy({ invitedToContinue }: Conversation): InvitationSummary["continues"] {
  if (invitedToContinue === undefined) return undefined
  const { conversation, by, added, removed, known } = invitedToContinue
  return { id: conversation.id, by, added: [...added], removed: [...removed], known }
}
