import type { Client, Content, Conversation, PendingMessage, Sendable } from "@conclave/client"
import { ClientError } from "@conclave/client"
import type { Drafts } from "./drafts.js"
import type { Kept } from "./kept.js"
import {
  emptyWindow,
  fromHistory,
  isPlaced,
  type MessageWindow,
  type ThreadMessage,
  trimmed,
  withLatest,
  withMessages,
} from "./messages.js"
import type { Notice } from "./notice.js"
import { firstSince, messagesAfter } from "./pages.js"
import { type FailedMessage, type FailureReason, noFlags, nothingRead } from "./records.js"
import { shared } from "./share.js"
import { type TimelineItem, timelineOf } from "./timeline.js"
import type { Timers } from "./timers.js"

/** One conversation as it is drawn. The object and each of its items stay the same as long as nothing in them changes. */
export interface ThreadSnapshot {
  readonly id: string
  readonly items: readonly TimelineItem[]
  /** A page has been read. */
  readonly isLoaded: boolean
  readonly hasEarlier: boolean
  /** The latest messages are not among the items. */
  readonly hasLater: boolean
  /** What comes is to be scrolled to: the view says so by {@link Thread.follow}. */
  readonly isFollowing: boolean
  /** Messages of others that the user has not seen: while the thread is in front, those that are below. */
  readonly unread: number
  /** More than two people are in it, or have been as far as its notices and the messages read tell: a view says who spoke. */
  readonly isGroup: boolean
}

/** One conversation's messages, a window of them at a time. */
export interface Thread {
  readonly id: string
  /** Bound, as {@link subscribe} is: both may be passed on alone, and are the same for the life of the headless. */
  readonly getSnapshot: () => ThreadSnapshot
  /** Calls `listener` when the snapshot is another one. Returns a function that stops it. */
  readonly subscribe: (listener: () => void) => () => void
  /** Reads the latest page, if none has been read. */
  load(): Promise<void>
  loadEarlier(): Promise<void>
  loadLater(): Promise<void>
  /** Follows from here on; resolves when the latest messages are among the items. */
  jumpToLatest(): Promise<void>
  /**
   * Resolves with the key of the item to scroll to, when it is among the items; `undefined` where the conversation has no such
   * message.
   */
  jumpTo(seq: number): Promise<string | undefined>
  /** The first message of a time or after it, as far as the senders' clocks go forward. */
  jumpToDate(at: Date): Promise<string | undefined>
  /** Whether the end is in sight: what comes is read then, and otherwise counted. */
  follow(isFollowing: boolean): void
  /** It is kept from here on, whatever happens: pending, then sent or failed. */
  send(content: string | Uint8Array | Sendable): void
  /** Of a message that failed: its text is a draft again, below what stands there. */
  edit(messageId: string): void
  /** Of a message that failed: it is gone. */
  discard(messageId: string): void
}

/** What a thread needs of the whole. */
export interface ThreadMeans {
  readonly client: Client
  readonly kept: Kept
  readonly drafts: Drafts
  readonly now: () => number
  readonly timers: Timers
  readonly pageSize: number
  readonly windowMax: number
  /** Grows with each change. */
  version(): number
  changed(): void
  subscribe(listener: () => void): () => void
  isBlocked(name: string): boolean
  unread(id: string): number
  /** The user has seen everything, if they look at this conversation. */
  seen(id: string): void
  fault(error: unknown): void
}

/** What was there when a message was given to the client. */
interface Known {
  readonly before: ReadonlySet<string>
  readonly failed: readonly FailedMessage[] | undefined
}

const SETTLING_MILLISECONDS = 250
/** Of the window's size: so many messages are in memory while somebody reads further up and more come. */
const BACK_FACTOR = 1.5
/** A message that is pending no more is looked for among so many. */
const LOOKED_AT = 500

export class OpenThread implements Thread {
  readonly id: string
  readonly #means: ThreadMeans
  #window: MessageWindow = emptyWindow
  #pending: ReadonlyMap<string, PendingMessage> = new Map()
  /** Gone from the pending ones a moment ago; the history will say whether they were sent. */
  readonly #settling = new Map<string, PendingMessage>()
  /** Own messages of which an event has said that they have their place. */
  readonly #placed = new Set<string>()
  /** What came while a page was being read. */
  #meanwhile: ThreadMessage[] = []
  #unreadAfter: number | undefined
  #isFollowing = true
  #turn: Promise<unknown> = Promise.resolve()
  #snapshot: ThreadSnapshot | undefined
  #version = -1

  constructor(id: string, means: ThreadMeans) {
    this.id = id
    this.#means = means
    this.#pending = pendingOf(this.#conversation)
  }

  get isFollowing(): boolean {
    return this.#isFollowing && !this.#window.hasLater
  }

  get isLoaded(): boolean {
    return this.#window.isLoaded
  }

  readonly getSnapshot = (): ThreadSnapshot => {
    const { kept, client, now, unread, isBlocked } = this.#means
    const version = this.#means.version()
    if (this.#snapshot !== undefined && this.#version === version) return this.#snapshot
    this.#version = version
    const window = this.#window
    const notices = kept.get("notices", this.id) ?? []
    const items = timelineOf({
      ...{ window, notices },
      failed: kept.get("failed", this.id) ?? [],
      waiting: [...new Map([...this.#settling, ...this.#pending]).values()],
      isBlocked: (name) => name !== client.name && isBlocked(name),
      unreadAfter: this.#unreadAfter,
      now: now(),
    })
    const { isLoaded, hasEarlier, hasLater } = window
    this.#snapshot = shared(this.#snapshot, {
      ...{ id: this.id, items, isLoaded, hasEarlier, hasLater },
      ...{ isFollowing: this.isFollowing, unread: unread(this.id) },
      isGroup: isGroup([client.name, ...(this.#conversation?.members ?? [])], notices, window),
    })
    return this.#snapshot
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    let shown = this.getSnapshot()
    return this.#means.subscribe(() => {
      const next = this.getSnapshot()
      if (next === shown) return
      shown = next
      listener()
    })
  }

  load(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#window.isLoaded) await this.#readLatest()
    })
  }

  loadEarlier(): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#window.messages[0]?.seq
      if (before === undefined || !this.#window.hasEarlier) return
      const { messages, isWhole } = await this.#read({ before })
      const window = { ...withMessages(this.#window, messages), hasEarlier: !isWhole }
      // Who reads so far back is not to be taken to the end by what comes.
      if (window.messages.length > this.#means.windowMax) this.#isFollowing = false
      this.#set(trimmed(window, this.#means.windowMax, "earlier"))
    })
  }

  loadLater(): Promise<void> {
    return this.#inTurn(async () => {
      const { windowMax, pageSize } = this.#means
      const last = this.#window.messages.at(-1)?.seq
      if (last === undefined || !this.#window.hasLater || this.#conversation === undefined) return
      const page = await messagesAfter(this.#conversation, last, pageSize)
      const messages = page.map(fromHistory)
      const window = { ...withMessages(this.#window, messages), hasLater: page.length === pageSize }
      this.#set(trimmed(window, windowMax, "later"))
    })
  }

  jumpToLatest(): Promise<void> {
    this.follow(true)
    return this.#inTurn(async () => {
      if (this.#window.hasLater || !this.#window.isLoaded) await this.#readLatest()
    })
  }

  jumpTo(seq: number): Promise<string | undefined> {
    return this.#inTurn(async () => {
      const conversation = this.#conversation
      if (conversation === undefined) return undefined
      if (!this.#window.messages.some((it) => it.seq === seq)) {
        const limit = Math.ceil(this.#means.pageSize / 2)
        const { messages: before, isWhole } = await this.#read({ before: seq, limit })
        const after = (await messagesAfter(conversation, seq - 1, limit)).filter((it) => it.seq > this.#deletedUpTo)
        if (after[0]?.seq !== seq) return undefined
        const messages = [...before, ...after.map(fromHistory)]
        this.#isFollowing = false
        this.#set({ messages, isLoaded: true, hasEarlier: !isWhole, hasLater: after.length === limit })
      }
      this.#isFollowing = false
      this.#means.changed()
      return this.#keyOf(seq)
    })
  }

  async jumpToDate(at: Date): Promise<string | undefined> {
    const seq = this.#conversation && (await firstSince(this.#conversation, at))
    return seq === undefined ? undefined : this.jumpTo(seq)
  }

  follow(isFollowing: boolean): void {
    if (this.#isFollowing !== isFollowing) {
      this.#isFollowing = isFollowing
      this.#means.changed()
    }
    if (this.isFollowing) this.#means.seen(this.id)
  }

  send(content: string | Uint8Array | Sendable): void {
    const conversation = this.#conversation
    if (conversation === undefined) throw new TypeError("there is no such conversation")
    const { client, drafts } = this.#means
    const sendable = contentOf(content)
    const { text } = sendable
    const before = new Set(conversation.pending.map(({ messageId }) => messageId))
    const failed = this.#means.kept.get("failed", this.id)
    if (text !== undefined) drafts.sending(this.id, text)
    // Who speaks has read what was said.
    this.#unreadAfter = undefined
    void this.jumpToLatest().catch((error) => this.#means.fault(error))
    const isNew = (it: PendingMessage) => !before.has(it.messageId) && it.text === text
    const isStored = () => {
      if (text !== undefined && conversation.pending.some(isNew)) drafts.sent(this.id, text)
    }
    const stop = client.observe(isStored)
    conversation
      .send(content)
      .then(
        () => text !== undefined && drafts.sent(this.id, text),
        (error: unknown) => this.#failedToStore(sendable, error, { before, failed }),
      )
      .finally(stop)
  }

  edit(messageId: string): void {
    const message = this.#takeFailed(messageId)
    if (message?.content.text !== undefined) this.#means.drafts.add(this.id, message.content.text)
    this.#means.changed()
  }

  discard(messageId: string): void {
    this.#takeFailed(messageId)
    this.#means.changed()
  }

  // --- Following the client ------------------------------------------------------------------------------------------

  /** A message has its place; without one where it was stored by an early version. */
  received(message: ThreadMessage | undefined): void {
    if (message === undefined) {
      void this.#inTurn(() => this.#readLatest()).catch((error) => this.#means.fault(error))
      return
    }
    if (message.own) this.#placed.add(message.messageId)
    if (this.#placed.size > LOOKED_AT) this.#placed.delete(this.#placed.values().next().value!)
    this.#meanwhile.push(message)
    if (this.#window.isLoaded && !this.#window.hasLater) this.#set(this.#window)
    // Nobody reads: it will be read with its page.
    else if (this.#meanwhile.length > LOOKED_AT) this.#meanwhile.shift()
  }

  /** What comes from here on was not read: it gets a line before it, unless there is one for others that are not read. */
  markUnread(isFirst: boolean): void {
    if (!isFirst && this.#unreadAfter !== undefined) return
    this.#unreadAfter = this.#means.kept.get("read", this.id)?.upTo ?? nothingRead.upTo ?? -1
  }

  /** The line before what is not read, if any, as of now. */
  mark(): void {
    if (this.#means.unread(this.id) === 0) this.#unreadAfter = undefined
    // Where nothing was ever read, everything would be new.
    else this.#unreadAfter = this.#means.kept.get("read", this.id)?.upTo
  }

  /** After each step of the client: what is pending no more was sent, or failed. */
  followPending(): void {
    const before = this.#pending
    this.#pending = pendingOf(this.#conversation)
    const settled = [...before.values()].filter(({ messageId }) => !this.#pending.has(messageId))
    if (settled.length === 0) return
    for (const it of settled) this.#settling.set(it.messageId, it)
    void this.#settle(settled).catch((error) => this.#means.fault(error))
  }

  /** Another conversation takes the place, or messages were deleted: what was read is read again. */
  reload(): Promise<void> {
    return this.#inTurn(() => {
      this.#window = emptyWindow
      return this.#readLatest()
    })
  }

  /** The history decides whether a message that is no longer pending was sent. */
  async #settle(settled: readonly PendingMessage[]): Promise<void> {
    const conversation = this.#conversation
    const { kept, now, changed } = this.#means
    if (conversation === undefined) return
    if (this.#window.isLoaded && !this.#window.hasLater) await this.#inTurn(() => this.#readLatest())
    const isThere = ({ messageId }: PendingMessage) =>
      isPlaced(this.#window.messages, messageId) || this.#placed.has(messageId)
    if (!settled.every(isThere)) {
      const latest = (await conversation.history({ limit: LOOKED_AT })).map(fromHistory)
      for (const { messageId } of settled) if (isPlaced(latest, messageId)) this.#placed.add(messageId)
    }
    for (const { messageId } of settled) this.#settling.delete(messageId)
    const failed = settled
      .filter((it) => !isThere(it))
      .map(({ messageId, sentAt: _, ...content }): FailedMessage => {
        return { messageId, content, at: now(), why: { code: failureCode(conversation) } }
      })
    if (failed.length > 0) kept.put("failed", this.id, [...(kept.get("failed", this.id) ?? []), ...failed])
    changed()
  }

  async #failedToStore(content: Content, error: unknown, known: Known): Promise<void> {
    const { kept, now, timers, drafts, changed } = this.#means
    // Closed: it is there at the next opening, as a message that waits or as a draft.
    if (error instanceof ClientError && error.code === "CLOSED") return
    // What was pending once is settled where it vanishes; this is for what could not even be stored.
    await new Promise<void>((resolve) => timers.after(SETTLING_MILLISECONDS, resolve))
    const pending = this.#conversation?.pending ?? []
    const isWaiting = pending.some((it) => !known.before.has(it.messageId) && it.text === content.text)
    const failed = kept.get("failed", this.id) ?? []
    if (content.text !== undefined) drafts.sent(this.id, content.text)
    if (isWaiting || failed.length > (known.failed ?? []).length) return
    const code = error instanceof ClientError ? error.code : undefined
    const why: FailureReason = {
      code: "error",
      error: code,
      message: error instanceof Error ? error.message : String(error),
    }
    kept.put("failed", this.id, [
      ...failed,
      { messageId: `unstored-${now()}-${failed.length}`, content, at: now(), why },
    ])
    changed()
  }

  #takeFailed(messageId: string): FailedMessage | undefined {
    const { kept } = this.#means
    const failed = kept.get("failed", this.id) ?? []
    const rest = failed.filter((it) => it.messageId !== messageId)
    kept.put("failed", this.id, rest.length === 0 ? undefined : rest)
    return failed.find((it) => it.messageId === messageId)
  }

  get #conversation(): Conversation | undefined {
    return this.#means.client.conversations.get(this.id)
  }

  get #deletedUpTo(): number {
    return (this.#means.kept.get("flags", this.id) ?? noFlags).deletedUpTo ?? -1
  }

  /** One page at a time: two must not be read from the same place. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.catch(() => {}).then(work)
    this.#turn = turn
    return turn
  }

  async #readLatest(): Promise<void> {
    const { messages, isWhole } = await this.#read({})
    this.#set(withLatest(this.#window, messages, isWhole))
  }

  async #read(options: { readonly before?: number; readonly limit?: number }) {
    const limit = options.limit ?? this.#means.pageSize
    const page = (await this.#conversation?.history({ ...options, limit })) ?? []
    const messages = page.filter(({ seq }) => seq > this.#deletedUpTo).map(fromHistory)
    return { messages, isWhole: page.length < limit || messages.length < page.length }
  }

  #set(window: MessageWindow): void {
    const { windowMax } = this.#means
    let next = window
    if (!window.hasLater) {
      const first = window.messages[0]?.seq ?? this.#deletedUpTo
      next = withMessages(
        window,
        this.#meanwhile.filter(({ seq }) => seq > first),
      )
      this.#meanwhile = []
      if (this.#isFollowing) next = trimmed(next, windowMax, "later")
      // A reader further up keeps what they read. What comes beyond that is read when they come to it.
      else if (next.messages.length > BACK_FACTOR * windowMax && next.messages.length > window.messages.length) {
        next = { ...window, hasLater: true }
      }
    }
    this.#window = next
    this.#means.changed()
    if (this.isFollowing) this.#means.seen(this.id)
  }

  #keyOf(seq: number): string | undefined {
    const { items } = this.getSnapshot()
    const at = items.find((it) => it.type === "message" && it.message.seq === seq)
    return at?.key ?? items.find((it) => it.type === "blocked")?.key
  }
}

function pendingOf(conversation: Conversation | undefined): ReadonlyMap<string, PendingMessage> {
  return new Map(conversation?.pending.map((it) => [it.messageId, it]))
}

function isGroup(members: readonly string[], notices: readonly Notice[], { messages }: MessageWindow): boolean {
  const people = new Set(members)
  if (people.size > 2) return true
  for (const name of notices.flatMap(namedIn)) people.add(name)
  for (const { from } of messages) people.add(from)
  return people.size > 2
}

/** Who is or was a member, by what is told. */
function namedIn({ event, out }: Notice): readonly string[] {
  switch (event.type) {
    case "members":
      return [...event.added, ...event.removed, ...event.left, ...event.rejoined, ...(out?.names ?? [])]
    case "joined":
      return event.members
    default:
      return []
  }
}

function failureCode({ status }: Conversation): "left" | "lost" | "continued" | "refused" {
  if (status === "left" || status === "leaving") return "left"
  return status === "lost" || status === "continued" ? status : "refused"
}

function contentOf(content: string | Uint8Array | Sendable): Content {
  if (typeof content === "string") return { text: content }
  return content instanceof Uint8Array ? { bytes: content } : content
}
