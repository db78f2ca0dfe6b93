import type { Content, Conversation, Message, PendingMessage } from "@conclave/client/browser"
import type { ConversationMemory, FailedMessage, Notice } from "./memory.js"

/** A message that has its place in the conversation. */
export interface ThreadMessage {
  readonly messageId: string
  readonly from: string
  readonly own: boolean
  readonly sentAt: Date
  readonly text: string
  /** Known of what came from the history. */
  readonly seq?: number
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

/** Adds the last page of the history: what is not in it came before it. */
export function withLatest(thread: Thread, page: readonly Message[]): Thread {
  const ids = new Set(page.map(({ messageId }) => messageId))
  const before = thread.messages.filter(({ messageId }) => !ids.has(messageId))
  return { ...thread, messages: [...before, ...page.map(fromHistory)] }
}

export function withEarlier(thread: Thread, page: readonly Message[]): Thread {
  const ids = new Set(thread.messages.map(({ messageId }) => messageId))
  return { ...thread, messages: [...page.filter((it) => !ids.has(it.messageId)).map(fromHistory), ...thread.messages] }
}

export function withMessage(thread: Thread, message: ThreadMessage): Thread {
  if (thread.messages.some(({ messageId }) => messageId === message.messageId)) return thread
  return { ...thread, messages: [...thread.messages, message] }
}

/** Messages, and between them what happened; what is not sent yet comes last. */
export function timelineOf(
  { messages, settling, hasEarlier }: Thread,
  { pending }: Pick<Conversation, "pending">,
  { notices, failed }: Pick<ConversationMemory, "notices" | "failed">,
): readonly TimelineItem[] {
  const loaded = new Set(messages.map(({ messageId }) => messageId))
  const byAnchor = Map.groupBy(notices, ({ after }) => after ?? "")
  const noticesAfter = (anchor: string): readonly TimelineItem[] =>
    (byAnchor.get(anchor) ?? []).map((notice) => ({ type: "notice", key: `n${notice.number}`, notice }))
  const waiting = new Map([...settling.values(), ...pending].map((it) => [it.messageId, it]))
  const beginning = hasEarlier ? [] : noticesAfter("")
  // An anchor that is no message here: kept out while earlier pages are missing, and shown first otherwise.
  const lost = hasEarlier ? [] : notices.filter(({ after }) => after !== undefined && !loaded.has(after))
  return [
    ...beginning,
    ...lost.map((notice): TimelineItem => ({ type: "notice", key: `n${notice.number}`, notice })),
    ...messages.flatMap((message): TimelineItem[] => [
      { type: "message", key: message.messageId, message },
      ...noticesAfter(message.messageId),
    ]),
    ...failed.map((message): TimelineItem => ({ type: "failed", key: message.messageId, message })),
    ...[...waiting.values()]
      .filter(({ messageId }) => !loaded.has(messageId))
      .map(
        (it): TimelineItem => ({
          type: "pending",
          key: it.messageId,
          messageId: it.messageId,
          text: textOf(it),
        }),
      ),
  ]
}

export function textOf({ text, bytes }: Content): string {
  return text ?? `[${bytes?.length ?? 0} bytes that are not text]`
}

function fromHistory(message: Message): ThreadMessage {
  const { messageId, from, own, sentAt, seq } = message
  return { messageId, from, own, sentAt, seq, text: textOf(message) }
}
