import type { Content, PendingMessage } from "@conclave/client"
import { isPlaced, type MessageWindow, type ThreadMessage } from "./messages.js"
import type { Notice } from "./notice.js"
import type { FailedMessage } from "./records.js"
import { settled } from "./share.js"

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
    ...messages.flatMap((message): TimelineItem[] => [itemOf(message), ...shown(byPlace.get(message.seq))]),
  ]
}

/** Made once for a message: nobody compares it with itself again each time that another message comes. */
const itemsOf = new WeakMap<ThreadMessage, TimelineItem>()

function itemOf(message: ThreadMessage): TimelineItem {
  const known = itemsOf.get(message)
  if (known !== undefined) return known
  const item = settled<TimelineItem>({ type: "message", key: `m${message.seq}`, message })
  itemsOf.set(message, item)
  return item
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
  const days = withFirst(
    items.map((item) => dayOf(timeOf(item), now)),
    items,
    now,
  )
  const followers = nextOf(days)
  const times = new Map<string, number>()
  let day: string | undefined
  return items.flatMap((item, at): readonly TimelineItem[] => {
    const begins = days[at]
    if (begins === undefined || begins === day) return [item]
    // One clock among others that is wrong is no day of its own.
    if (day !== undefined && followers[at] === day) return [item]
    day = begins
    // Clocks that were set back make a day begin twice.
    const before = times.get(begins) ?? 0
    times.set(begins, before + 1)
    const [year, month, date] = begins.split(" ").map(Number)
    const midnight = new Date(0, 0)
    midnight.setFullYear(year!, month!, date)
    const key = `d${year}-${month! + 1}-${date}${before === 0 ? "" : `.${before}`}`
    return [{ type: "day", key, at: midnight }, item]
  })
}

/** What comes first begins a day, whatever its clock says: that of what follows it. */
function withFirst(days: readonly (string | undefined)[], items: readonly TimelineItem[], now: number) {
  const first = items.findIndex((item) => timeOf(item) !== undefined)
  if (first === -1 || days[first] !== undefined) return days
  return days.with(first, days.find((it) => it !== undefined) ?? dayOf(now, now))
}

/** The day of the next item that has one. */
function nextOf(days: readonly (string | undefined)[]): readonly (string | undefined)[] {
  let next: string | undefined
  return days
    .map((_, at) => at)
    .reduceRight<(string | undefined)[]>((followers, at) => {
      followers[at] = next
      next = days[at] ?? next
      return followers
    }, new Array(days.length))
}

/** Year, month and day of the reader's calendar. Of a clock that is ahead, or says what is no time, nothing is known. */
function dayOf(time: number | undefined, now: number): string | undefined {
  const at = new Date(time ?? Number.NaN)
  if (time === undefined || Number.isNaN(at.getTime()) || time > now + AHEAD_MILLISECONDS) return undefined
  return `${at.getFullYear()} ${at.getMonth()} ${at.getDate()}`
}

/** Clocks differ a little. */
const AHEAD_MILLISECONDS = 60_000

function timeOf(item: TimelineItem): number | undefined {
  if (item.type === "message") return item.message.sentAt.getTime()
  return item.type === "notice" ? item.notice.at : undefined
}

function waitingItem(
  { messageId, sentAt, ...content }: PendingMessage,
  { messages }: MessageWindow,
): readonly TimelineItem[] {
  if (isPlaced(messages, messageId)) return []
  return [{ type: "pending", key: `p${messageId}`, messageId, content, sentAt }]
}
