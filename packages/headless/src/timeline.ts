import type { Content, PendingMessage } from "@conclave/client"
import { isPlaced, type MessageWindow, type ThreadMessage } from "./messages.js"
import type { Notice } from "./notice.js"
import type { FailedMessage } from "./records.js"

export type TimelineItem =
  | { readonly type: "message"; readonly key: string; readonly message: ThreadMessage }
  | {
      readonly type: "pending"
      readonly key: string
      readonly messageId: string
      readonly content: Content
      readonly sentAt: Date
    }
  | { readonly type: "failed"; readonly key: string; readonly message: FailedMessage }
  | { readonly type: "notice"; readonly key: string; readonly notice: Notice }
  /** A day begins: of the reader's calendar, by the time that what follows it tells. */
  | { readonly type: "day"; readonly key: string; readonly at: Date }
  /** What follows was not read when the conversation was opened, or has come since without being seen. */
  | { readonly type: "unread"; readonly key: string }
  /** So many messages, one after the other, of somebody whom the user has blocked. */
  | { readonly type: "blocked"; readonly key: string; readonly from: string; readonly count: number }

export interface TimelineParts {
  readonly window: MessageWindow
  readonly notices: readonly Notice[]
  readonly failed: readonly FailedMessage[]
  /** What is not sent yet, and what is not known to have been sent. */
  readonly waiting: readonly PendingMessage[]
  readonly isBlocked: (name: string) => boolean
  /** The first message of somebody else after this place is the first that was not read; `undefined`: all were. */
  readonly unreadAfter: number | undefined
  /** Nobody's clock is believed further than this. */
  readonly now: number
}

/** Messages, and between them what happened; what is not sent yet comes last, and after that nothing. */
export function timelineOf(parts: TimelineParts): readonly TimelineItem[] {
  const { window, failed, waiting } = parts
  return [
    ...withDays(withUnread(withoutBlocked(placed(parts), parts), parts), parts),
    ...(window.hasLater
      ? []
      : failed.map((message): TimelineItem => ({ type: "failed", key: `f${message.messageId}`, message }))),
    ...(window.hasLater ? [] : waiting.flatMap((it) => waitingItem(it, window))),
  ]
}

/** Messages with the notices in their places. */
function placed({ window, notices }: TimelineParts): readonly TimelineItem[] {
  const { messages, hasEarlier, hasLater } = window
  const seqs = new Set(messages.map(({ seq }) => seq))
  const seqOf = new Map([...messages].reverse().map(({ messageId, seq }) => [messageId, seq]))
  /** The place, also where an earlier version has kept the id of the message: of the first that has it. */
  const placeOf = ({ after }: Notice) => (typeof after === "string" ? (seqOf.get(after) ?? LOST) : after)
  const byPlace = new Map<number | undefined, Notice[]>()
  for (const notice of notices) {
    const together = byPlace.get(placeOf(notice))
    if (together === undefined) byPlace.set(placeOf(notice), [notice])
    else together.push(notice)
  }
  const shown = (some: readonly Notice[] = []): readonly TimelineItem[] =>
    some.map((notice) => ({ type: "notice", key: `n${notice.number}`, notice }))
  const last = messages.at(-1)?.seq ?? -1
  // Whose message is not here: kept out while pages are missing, and shown first otherwise.
  const isLost = (place: number | undefined) => place !== undefined && !seqs.has(place) && !(hasLater && place > last)
  return [
    ...(hasEarlier ? [] : shown(byPlace.get(undefined))),
    ...(hasEarlier ? [] : shown(notices.filter((notice) => isLost(placeOf(notice))))),
    ...messages.flatMap((message): TimelineItem[] => [
      { type: "message", key: `m${message.seq}`, message },
      ...shown(byPlace.get(message.seq)),
    ]),
  ]
}

/** No message is there. */
const LOST = -1

function withoutBlocked(items: readonly TimelineItem[], { isBlocked }: TimelineParts): readonly TimelineItem[] {
  const kept: TimelineItem[] = []
  for (const item of items) {
    if (item.type !== "message" || !isBlocked(item.message.from)) {
      kept.push(item)
      continue
    }
    const { seq, from } = item.message
    const last = kept.at(-1)
    if (last?.type === "blocked" && last.from === from) kept[kept.length - 1] = { ...last, count: last.count + 1 }
    else kept.push({ type: "blocked", key: `b${seq}`, from, count: 1 })
  }
  return kept
}

function withUnread(items: readonly TimelineItem[], { unreadAfter }: TimelineParts): readonly TimelineItem[] {
  if (unreadAfter === undefined) return items
  const at = items.findIndex((it) => it.type === "message" && !it.message.own && it.message.seq > unreadAfter)
  if (at === -1) return items
  return [...items.slice(0, at), { type: "unread", key: "unread" }, ...items.slice(at)]
}

function withDays(items: readonly TimelineItem[], { now }: TimelineParts): readonly TimelineItem[] {
  let day = ""
  const days = new Map<string, number>()
  return items.flatMap((item): readonly TimelineItem[] => {
    const time = timeOf(item, now)
    if (time === undefined) return [item]
    const at = new Date(time)
    const begins = `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`
    if (begins === day) return [item]
    day = begins
    // A clock that was set back makes a day begin twice.
    const times = days.get(begins) ?? 0
    days.set(begins, times + 1)
    const midnight = new Date(at.getFullYear(), at.getMonth(), at.getDate())
    return [{ type: "day", key: `d${begins}${times === 0 ? "" : `.${times}`}`, at: midnight }, item]
  })
}

function timeOf(item: TimelineItem, now: number): number | undefined {
  if (item.type === "message") return Math.min(item.message.sentAt.getTime(), now)
  return item.type === "notice" ? item.notice.at : undefined
}

function waitingItem(
  { messageId, sentAt, ...content }: PendingMessage,
  { messages }: MessageWindow,
): readonly TimelineItem[] {
  if (isPlaced(messages, messageId)) return []
  return [{ type: "pending", key: `p${messageId}`, messageId, content, sentAt }]
}
