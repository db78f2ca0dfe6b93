import type { ClientEvent } from "@conclave/client/browser"
import type { Notice } from "./memory.js"

/** What is kept of an event to be told between the messages; `undefined` where something else tells it. */
export function noticeOf(
  event: Exclude<ClientEvent, { type: "message" | "sent" }>,
  place: Pick<Notice, "at" | "after"> & {
    readonly removals: readonly string[]
    /** Names about whose keys an alert stands already. */
    readonly alerted: ReadonlySet<string>
  },
): Notice | undefined {
  const { type, number } = event
  const { at, after, removals, alerted } = place
  const notice = { at, after, type, number }
  switch (event.type) {
    case "joined":
      return { ...notice, names: event.members }
    case "title":
      return { ...notice, by: event.from, text: event.title }
    case "members":
      return {
        ...notice,
        by: event.by,
        names: event.added,
        removed: event.removed,
        asked: event.removed.filter((name) => removals.includes(name)),
        left: event.left,
        rejoined: event.rejoined,
      }
    case "refreshed":
    case "left":
      return { ...notice, by: event.by }
    case "keyChanged":
      return { ...notice, names: [event.name], code: event.accepted ? "accepted" : "" }
    case "failed":
      // A message that failed is seen itself.
      if (event.wish === "send") return undefined
      return { ...notice, names: event.names, text: event.wish, code: event.code }
    case "rejected":
      return { ...notice, text: event.reason, code: event.code }
    case "halted":
      return {
        ...notice,
        names: event.names,
        ...(event.names.every((it) => alerted.has(it)) ? {} : { text: event.reason }),
      }
    case "invited":
      return { ...notice, by: event.by, names: event.members }
    case "declined":
      return { ...notice, names: [event.name], code: event.reason }
    case "throttled":
      return { ...notice, text: event.retryAt.toLocaleTimeString() }
    case "displayName":
      return { ...notice, names: [event.name], text: event.after ?? "", code: event.before ?? "" }
    case "recovered":
    case "lost":
    case "missing":
    case "deferred":
    case "update":
    case "unavailable":
      return { ...notice, text: event.reason }
  }
}
