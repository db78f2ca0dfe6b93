import { type ClientEvent, eventSeverity, eventWords } from "@conclave/client/browser"
import type { Notice } from "@conclave/headless/browser"
import { pageReader, paragraph } from "./reader.js"
import { listOf, type People, personOr, titleOf } from "./words.js"

/** Between the messages of the conversation, which need not be named. */
const HERE = "this conversation"

/** A notice as it stands between the messages, from the point of view of the user. */
export function noticeText({ event, out }: Notice, people: People): string {
  const reader = pageReader(people, HERE)
  if (out === undefined || event.type !== "members") return paragraph(eventWords(event, reader))
  const { by } = event
  const removed = by === people.name ? out.names.filter((name) => out.asked.includes(name)) : []
  const others = out.names.filter((name) => !removed.includes(name))
  const said = eventWords({ ...event, removed }, reader)
  if (others.length === 0) return paragraph(said)
  const device = by === people.name ? "your device" : `a device of ${personOr(by, "somebody", people)}`
  const verb = others.length === 1 ? "is" : "are"
  return paragraph([...said, `${listOf(others, people)} ${verb} out, by a commit of ${device}`])
}

/** Whether a notice stands out among the messages. */
export function isNoticeLoud({ event }: Notice, people: People): boolean {
  const severity = eventSeverity(event, { name: people.name, conversation: HERE })
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
      return eventWords(event, pageReader(people, where)).join(" ")
    case "invited":
      return paragraph(eventWords(event, pageReader(people, undefined)))
    case "sent":
    case "refreshed":
      return undefined
    case "displayName":
    case "keyChanged":
      return notice && `Attention: ${noticeText(notice, people)}`
    default:
      return notice && `${where === undefined ? "" : `${where}: `}${noticeText(notice, people)}`
  }
}
