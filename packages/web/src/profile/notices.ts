import type { ClientEvent } from "@conclave/client/browser"
import type { Notice } from "./memory.js"

export interface NoticePlace extends Pick<Notice, "at" | "after"> {
  /** Those of the same conversation so far. */
  readonly notices: readonly Notice[]
  /** Names about whose keys an alert stands already. */
  readonly alerted: ReadonlySet<string>
}

/** What is kept of an event to be told between the messages; `undefined` where something else tells it. */
export function noticeOf(
  event: Exclude<ClientEvent, { type: "message" | "sent" }>,
  place: NoticePlace,
): Notice | undefined {
  const { type, number } = event
  const { at, after, notices, alerted } = place
  const notice = { at, after, type, number }
  switch (event.type) {
    case "joined":
      return { ...notice, names: event.members, accepted: isInvited(notices) }
    case "title":
      return { ...notice, by: event.from, text: event.title }
    case "members": {
      const { by, added, removed, rejoined } = event
      // Who declined has never been in: that was told.
      const left = event.left.filter((name) => !hasDeclined(notices, name))
      if (added.length + removed.length + left.length + rejoined.length === 0) return undefined
      return { ...notice, by, names: added, removed, left, rejoined }
    }
    case "refreshed":
    case "left":
      return { ...notice, by: event.by }
    case "keyChanged":
      return { ...notice, names: [event.name], code: event.accepted ? "accepted" : "" }
    case "failed":
      // A message that failed is seen itself.
      if (event.wish === "send") return undefined
      return { ...notice, names: event.names, text: event.wish, code: event.code, reason: event.reason }
    case "rejected":
      return { ...notice, text: event.reason, code: event.code, count: event.count }
    case "halted": {
      const isAlerted = event.names.every((it) => alerted.has(it))
      return { ...notice, names: event.names, ...(isAlerted ? {} : { text: event.reason }) }
    }
    case "invited":
      return { ...notice, by: event.by, names: event.members }
    case "declined":
      return { ...notice, names: [event.name], code: event.reason }
    case "displayName":
      return { ...notice, names: [event.name], text: event.after ?? "", code: event.before ?? "" }
    case "deferred":
      return { ...notice, text: event.reason, wishes: event.wishes, until: event.retryAt.getTime() }
    case "recovered":
    case "lost":
    case "missing":
    case "unavailable":
      return { ...notice, text: event.reason }
    case "throttled":
    case "update":
      return undefined
  }
}

/** Adds a notice, and counts what is refused again and again in one. */
export function withNotice(notices: Notice[], notice: Notice): void {
  const last = notices.at(-1)
  const isSame =
    notice.type === "rejected" && last?.type === "rejected" && last.code === notice.code && last.after === notice.after
  if (isSame) {
    const count = (last.count ?? 1) + (notice.count ?? 1)
    notices[notices.length - 1] = { ...last, number: notice.number, count }
  } else notices.push(notice)
  if (notices.length > NOTICES_MAX) notices.shift()
}

const NOTICES_MAX = 500

/** The last that was told of the user's membership is an invitation. */
function isInvited(notices: readonly Notice[]): boolean {
  return notices.findLast(({ type }) => type === "invited" || type === "joined" || type === "left")?.type === "invited"
}

/** The last that was told of this person is that they declined. */
function hasDeclined(notices: readonly Notice[], name: string): boolean {
  const last = notices.findLast(
    ({ type, names }) => (type === "declined" || type === "members") && names?.includes(name) === true,
  )
  return last?.type === "declined"
}
