import { type Content, type Conversation, contentWords, type Message, type PendingMessage } from "@conclave/client"
import type { ConversationMemory, FailedMessage } from "./memory.js"
import type { Notice } from "./notice.js"

/** A message that has its place in the conversation, and is told from others by it: its id is its sender's choice. */
export interface ThreadMessage {
  readonly seq: number
  readonly messageId: string
  readonly from: string
  readonly own: boolean
  readonly sentAt: Date
  readonly text: string
}

/** What has been loaded of a conversation's messages. */
export interface Thread {
  readonly messages: readonly ThreadMessage[]
  /** The latest page has been read. */
  readonly loaded: boolean
  readonly hasEarlier: boolean
  /** Gone from the pending ones a moment ago; the history will say whether they were sent. */
  readonly settling: ReadonlyMap<string, PendingMessage>
}

export const emptyThread: Thread = { messages: [], loaded: false, hasEarlier: false, settling: new Map() }

export type TimelineItem =
  | { readonly type: "message"; readonly key: string; readonly message: ThreadMessage }
  | { readonly type: "pending"; readonly key: string; readonly messageId: string; readonly text: string }
  | { readonly type: "failed"; readonly key: string; readonly message: FailedMessage }
  | { readonly type: "notice"; readonly key: string; readonly notice: Notice }

/** Adds a page of the history. */
export function withPage(thread: Thread, page: readonly Message[]): Thread {
  return withMessages(thread, page.map(fromHistory))
}

/** Adds what is not there yet, each in its place. */
export function withMessages(thread: Thread, more: readonly ThreadMessage[]): Thread {
  const bySeq = new Map([...thread.messages, ...more].map((message) => [message.seq, message]))
  return { ...thread, messages: [...bySeq.values()].sort((a, b) => a.seq - b.seq) }
}

/** Whether a message of this device has its place: of others', an id says nothing. */
export function isPlaced({ messages }: Thread, ownMessageId: string): boolean {
  return messages.some(({ own, messageId }) => own && messageId === ownMessageId)
}

/** Messages, and between them what happened; what is not sent yet comes last. */
export function timelineOf(
  thread: Thread,
  { pending }: Pick<Conversation, "pending">,
  { notices, failed }: Pick<ConversationMemory, "notices" | "failed">,
): readonly TimelineItem[] {
  const { messages, settling, hasEarlier } = thread
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
  const waiting = new Map([...settling.values(), ...pending].map((it) => [it.messageId, it]))
  // Whose message is not here: kept out while earlier pages are missing, and shown first otherwise.
  const isLost = (place: number | undefined) => place !== undefined && !seqs.has(place)
  return [
    ...(hasEarlier ? [] : shown(byPlace.get(undefined))),
    ...(hasEarlier ? [] : shown(notices.filter((notice) => isLost(placeOf(notice))))),
    ...messages.flatMap((message): TimelineItem[] => [
      { type: "message", key: `m${message.seq}`, message },
      ...shown(byPlace.get(message.seq)),
    ]),
    ...failed.map((message): TimelineItem => ({ type: "failed", key: `f${message.messageId}`, message })),
    ...[...waiting.values()]
      .filter(({ messageId }) => !isPlaced(thread, messageId))
      .map(
        (it): TimelineItem => ({
          type: "pending",
          key: `p${it.messageId}`,
          messageId: it.messageId,
          text: textOf(it),
        }),
      ),
  ]
}

/** No message is there. */
const LOST = -1

export function textOf(content: Content): string {
  return content.text ?? `[${contentWords(content)}]`
}

function fromHistory(message: Message): ThreadMessage {
  const { messageId, from, own, sentAt, seq } = message
  return { messageId, from, own, sentAt, seq, text: textOf(message) }
}
