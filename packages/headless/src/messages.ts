import type { Content, Message } from "@conclave/client"

/** A message that has its place in the conversation, and is told from others by it: its id is its sender's choice. */
export interface ThreadMessage {
  readonly seq: number
  readonly messageId: string
  readonly from: string
  /** Sent by this device. */
  readonly own: boolean
  readonly sentAt: Date
  readonly content: Content
}

/** Messages of a conversation without a gap between them, in their order. */
export interface MessageWindow {
  readonly messages: readonly ThreadMessage[]
  /** A page has been read. */
  readonly isLoaded: boolean
  readonly hasEarlier: boolean
  readonly hasLater: boolean
}

export const emptyWindow: MessageWindow = { messages: [], isLoaded: false, hasEarlier: false, hasLater: false }

/** Adds what is not there yet, each in its place. */
export function withMessages(window: MessageWindow, more: readonly ThreadMessage[]): MessageWindow {
  const { messages } = window
  const last = messages.at(-1)?.seq ?? -1
  // Nearly always they come after all others, in their order.
  const areNext = more.every(({ seq }, at) => seq > (more[at - 1]?.seq ?? last))
  if (areNext) return { ...window, messages: [...messages, ...more] }
  const bySeq = new Map([...messages, ...more].map((message) => [message.seq, message]))
  // What is there keeps its identity.
  for (const message of messages) bySeq.set(message.seq, message)
  return { ...window, messages: [...bySeq.values()].sort((a, b) => a.seq - b.seq) }
}

/** Adds the latest page, or begins again from it where messages between it and the others may be missing. */
export function withLatest(window: MessageWindow, page: readonly ThreadMessage[], isWhole: boolean): MessageWindow {
  const first = page[0]?.seq
  const last = window.messages.at(-1)?.seq
  const isApart = !isWhole && (last === undefined || (first !== undefined && first > last))
  if (!window.isLoaded || window.hasLater || isApart) {
    return { messages: page, isLoaded: true, hasEarlier: !isWhole, hasLater: false }
  }
  return withMessages(window, page)
}

/** Of more messages than `sizeMax`, the later or the earlier ones: so many more can come before it has to be done again. */
export function trimmed(window: MessageWindow, sizeMax: number, keep: "later" | "earlier"): MessageWindow {
  const { messages } = window
  if (messages.length <= sizeMax) return window
  const size = Math.ceil(sizeMax * KEPT_OF_FULL)
  return keep === "later"
    ? { ...window, messages: messages.slice(-size), hasEarlier: true }
    : { ...window, messages: messages.slice(0, size), hasLater: true }
}

const KEPT_OF_FULL = 0.8

/** Whether a message of this device has its place: of others', an id says nothing. */
export function isPlaced(messages: readonly ThreadMessage[], ownMessageId: string): boolean {
  return messages.some(({ own, messageId }) => own && messageId === ownMessageId)
}

export function fromHistory(message: Message): ThreadMessage {
  const { messageId, from, own, sentAt, seq, ...content } = message
  return { messageId, from, own, sentAt, seq, content }
}
