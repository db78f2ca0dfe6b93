import type { ClientEvent, ContinuedConversation, Conversation } from "@conclave/client"
import type { Notice } from "./notice.js"

export interface NoticePlace extends Pick<Notice, "at" | "after"> {
  /** Those of the same conversation so far. */
  readonly notices: readonly Notice[]
  /** Names about whose keys an alert stands already. */
  readonly alerted: ReadonlySet<string>
}

/** What is kept of an event to be told between the messages; `undefined` where something else tells it. */
export function noticeOf(
  { number, conversation: _, ...event }: Exclude<ClientEvent, { type: "message" | "sent" }>,
  place: NoticePlace,
): Notice | undefined {
  const { at, after, notices, alerted } = place
  const notice = { number, at, after }
  switch (event.type) {
    case "members": {
      // Who declined has never been in: that was told.
      const left = event.left.filter((name) => !hasDeclined(notices, name))
      const { added, removed, rejoined } = event
      if (added.length + removed.length + left.length + rejoined.length === 0) return undefined
      return { ...notice, event: { ...event, left } }
    }
    case "halted":
      // The notice of the key tells why, and the conversation's status that it waits.
      return event.names.every((it) => alerted.has(it)) ? undefined : { ...notice, event }
    case "failed":
      // A message that failed is seen itself.
      return event.wish === "send" ? undefined : { ...notice, event }
    case "invited":
      return { ...notice, event: { ...event, continues: event.continues && withoutHandle(event.continues) } }
    case "throttled":
    case "update":
      return undefined
    default:
      return { ...notice, event }
  }
}

/** A conversation is a handle of the client: of the one before, its title is what words need. */
function withoutHandle({ conversation: { title }, ...differences }: ContinuedConversation): ContinuedConversation {
  return { ...differences, conversation: { title } as Conversation }
}

/** The notices with one more; what is refused again and again is counted in one. */
export function withNotice(notices: readonly Notice[], notice: Notice): readonly Notice[] {
  const last = notices.at(-1)
  if (last !== undefined && isSameRefusal(last, notice)) return [...notices.slice(0, -1), together(last, notice)]
  return [...notices, notice].slice(-NOTICES_MAX)
}

function isSameRefusal({ event, after }: Notice, { event: next, after: afterNext }: Notice): boolean {
  return event.type === "rejected" && next.type === "rejected" && event.code === next.code && after === afterNext
}

function together(last: Notice, { number, event: next }: Notice): Notice {
  const { event } = last
  if (event.type !== "rejected" || next.type !== "rejected") return last
  return { ...last, number, event: { ...event, count: event.count + next.count } }
}

const NOTICES_MAX = 500

/** The last that was told of this person is that they declined. */
function hasDeclined(notices: readonly Notice[], name: string): boolean {
  const last = notices.findLast(
    ({ event }) =>
      (event.type === "declined" && event.name === name) || (event.type === "members" && event.added.includes(name)),
  )
  return last?.event.type === "declined"
}
