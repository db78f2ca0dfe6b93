import type { ClientEvent } from "@conclave/client"
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
    case "halted": {
      const isAlerted = event.names.every((it) => alerted.has(it))
      return { ...notice, event: isAlerted ? { ...event, reason: "" } : event }
    }
    case "failed":
      // A message that failed is seen itself.
      return event.wish === "send" ? undefined : { ...notice, event }
    case "throttled":
    case "update":
      return undefined
    default:
      return { ...notice, event }
  }
}

/** Adds a notice, and counts what is refused again and again in one. */
export function withNotice(notices: Notice[], notice: Notice): void {
  const last = notices.at(-1)
  if (last !== undefined && isSameRefusal(last, notice)) notices[notices.length - 1] = together(last, notice)
  else notices.push(notice)
  if (notices.length > NOTICES_MAX) notices.shift()
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
