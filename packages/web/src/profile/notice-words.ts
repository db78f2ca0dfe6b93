import { type ClientEvent, eventSeverity, type ToldEvent } from "@conclave/client/browser"
import type { Notice } from "@conclave/headless/browser"
import { words } from "../words/words.js"
import { PEOPLE_SHOWN, pageReader, paragraph } from "./reader.js"
import { listOf, type People, titleOf } from "./words.js"

/** A notice as it stands between the messages, from the point of view of the user. */
export function noticeText({ event: told, out }: Notice, people: People, isWhole = false): string {
  const event = withoutTerms(told)
  const reader = pageReader(people, words().notices.here, isWhole ? Number.POSITIVE_INFINITY : PEOPLE_SHOWN)
  if (out === undefined || event.type !== "members") return paragraph(words().event(event, reader))
  const { by } = event
  const removed = by === people.name ? out.names.filter((name) => out.asked.includes(name)) : []
  const others = out.names.filter((name) => !removed.includes(name))
  const said = words().event({ ...event, removed }, reader)
  if (others.length === 0) return paragraph(said)
  return paragraph([...said, words().notices.out(listOf(others, people), others.length === 1)])
}
/** Whether a notice names more people than are shown at first. */
export function isNoticeLong({ event }: Notice): boolean {
  const lists =
    event.type === "members"
      ? [event.added, event.removed, event.left, event.rejoined]
      : event.type === "joined" || event.type === "invited"
        ? [event.members]
        : []
  return lists.some(({ length }) => length > PEOPLE_SHOWN + 1)
}

/** Reasons that are about entries and commits are for the inspector and for reports: the rest says what it means. */
function withoutTerms<E extends ToldEvent>(event: E): E {
  switch (event.type) {
    case "stuck":
    case "recovered":
    case "stopped":
    case "copied":
    case "contradicted":
      return { ...event, reason: "" }
    default:
      return event
  }
}

/** Whether a notice stands out among the messages. */
export function isNoticeLoud({ event }: Notice, people: People): boolean {
  const severity = eventSeverity(event, { name: people.name, conversation: words().notices.here })
  return severity === "warning" || severity === "alarm"
}

/**
 * What a screen reader says of an event; `undefined`: nothing, or an alert says it. `notice` is what was kept of it, and
 * is said in the same words.
 */
export function announcementOf(
  event: ClientEvent,
  {
    notice,
    visible,
    people,
  }: { readonly notice: Notice | undefined; readonly visible: boolean; readonly people: People },
): string | undefined {
  const { conversation } = event
  const where = conversation === undefined || visible ? undefined : titleOf(conversation, people)
  switch (event.type) {
    case "message":
      return words().event(event, pageReader(people, where)).join(" ")
    case "invited":
      return paragraph(words().event(event, pageReader(people, undefined)))
    case "sent":
    case "refreshed":
      return undefined
    case "keyChanged":
      // The alert is heard as soon as it stands there.
      return undefined
    case "displayName":
      return notice && words().notices.attention(noticeText(notice, people))
    default:
      return notice && `${where === undefined ? "" : `${where}: `}${noticeText(notice, people)}`
  }
}
