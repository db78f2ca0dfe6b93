import type { Conversation } from "@conclave/client/browser"
import type { ThreadMessage, TimelineItem } from "@conclave/headless/browser"
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks"
import { textOf } from "../profile/content-words.js"
import { isNoticeLoud, noticeText } from "../profile/notice-words.js"
import type { Profile } from "../profile/profile.js"
import { clockTime, dayName, isSameDay } from "../profile/time.js"
import { failureText } from "../profile/words.js"
import { AlertIcon, CheckIcon, ClockIcon, DownIcon } from "./icons.js"
import { PersonName } from "./person.js"
import { addressOf } from "./route.js"

/** Closer to the end than this, new messages are followed; in pixels. */
const FOLLOWING_PIXELS = 80
/** Messages of one author within this time stand under one name. */
const TOGETHER_MILLISECONDS = 5 * 60_000

export interface MessageListProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

export function MessageList({ profile, conversation }: MessageListProps) {
  const thread = profile.headless.thread(conversation.id)
  const { items, hasEarlier, hasLater, isLoaded, isFollowing, unread } = thread.getSnapshot()
  const area = useRef<HTMLElement>(null)
  const list = useRef<HTMLOListElement>(null)
  const following = useRef(isFollowing)
  following.current = isFollowing
  const [loading, setLoading] = useState(false)
  // What is drawn has another height with each of them.
  useLayoutEffect(() => {
    if (isFollowing) toEnd(area.current)
  }, [items, isLoaded, isFollowing])
  useLayoutEffect(() => {
    const element = area.current
    if (element === null || list.current === null) return
    // A keyboard that comes up, or a panel, must not hide what was last read; nor must what grows.
    const resized = new ResizeObserver(() => {
      if (following.current) toEnd(element)
    })
    resized.observe(element)
    resized.observe(list.current)
    return () => resized.disconnect()
  }, [])
  const watch = () => {
    const element = area.current
    if (element === null) return
    thread.follow(element.scrollHeight - element.scrollTop - element.clientHeight < FOLLOWING_PIXELS)
  }
  /** What is being read stays where it is, whatever comes or goes above and below. */
  const load = async (more: () => Promise<void>, end: "first" | "last") => {
    setLoading(true)
    // Not a day: its line goes to the first message of the day, wherever that is.
    const lasting = [...(list.current?.querySelectorAll<HTMLElement>(".message, .notice") ?? [])]
    const anchor = end === "first" ? lasting[0] : lasting.at(-1)
    const before = anchor?.getBoundingClientRect().top ?? 0
    await more()
    setLoading(false)
    requestAnimationFrame(() => {
      if (area.current !== null && anchor?.isConnected === true) {
        area.current.scrollTop += anchor.getBoundingClientRect().top - before
      }
    })
  }
  const jump = () => {
    void thread.jumpToLatest()
    // The button that had the focus is gone.
    area.current?.focus({ preventScroll: true })
  }
  return (
    <div class="messages-frame">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by the keyboard. */}
      <section class="messages" ref={area} aria-label="Messages" tabIndex={0} onScroll={watch}>
        {hasEarlier ? (
          <button
            type="button"
            class="button button-quiet earlier"
            disabled={loading}
            onClick={() => void load(() => thread.loadEarlier(), "first")}
          >
            {loading ? "Loading…" : "Earlier messages"}
          </button>
        ) : (
          isLoaded && <Beginning conversation={conversation} alone={conversation.members.length < 2} />
        )}
        <ol class="message-list" ref={list}>
          {items.map((item, at) => (
            <Item
              key={item.key}
              item={item}
              before={items[at - 1]}
              after={items[at + 1]}
              profile={profile}
              conversation={conversation}
            />
          ))}
        </ol>
        {hasLater && (
          <button
            type="button"
            class="button button-quiet earlier later"
            disabled={loading}
            onClick={() => void load(() => thread.loadLater(), "last")}
          >
            {loading ? "Loading…" : "Later messages"}
          </button>
        )}
      </section>
      {isLoaded && !isFollowing && (
        <button type="button" class="jump" onClick={jump}>
          <DownIcon /> {unread === 0 ? "Latest" : `${unread} new`}
          <span class="visually-hidden">
            {unread === 0 ? " messages" : unread === 1 ? " message" : " messages"}: go to the end
          </span>
        </button>
      )}
    </div>
  )
}

function toEnd(element: HTMLElement | null): void {
  if (element !== null) element.scrollTop = element.scrollHeight
}

function Beginning({ conversation, alone }: { readonly conversation: Conversation; readonly alone: boolean }) {
  if (conversation.status === "left") return null
  return (
    <p class="beginning">
      {alone ? (
        <>
          Nobody else is here yet.{" "}
          <a href={addressOf({ conversation: conversation.id, group: true })}>Invite somebody</a> by name; they read
          what is written from then on.
        </>
      ) : (
        "Messages are encrypted on this device, and only members can read them. To be sure of who they are, compare safety codes in the group panel."
      )}
    </p>
  )
}

interface ItemProps extends MessageListProps {
  readonly item: TimelineItem
  readonly before: TimelineItem | undefined
  readonly after: TimelineItem | undefined
}

/** Drawn again only where something has changed that it shows: items keep their identity. */
function Item(props: ItemProps) {
  const { item, before, after, profile, conversation } = props
  const { state } = profile.client.line
  const label = item.type === "message" ? profile.label(item.message.from) : undefined
  // Names in notices may change with any display name: there are few.
  const always = item.type === "notice" || item.type === "blocked" ? {} : undefined
  // The rest of the properties stays the same.
  return useMemo(() => <Drawn {...props} />, [item, before, after, conversation.status, state, label, always])
}

function Drawn({ item, before, after, profile, conversation }: ItemProps) {
  switch (item.type) {
    case "message":
      return <Message profile={profile} message={item.message} before={before} after={after} />
    case "day":
      return (
        <li class="day">
          <span>{dayName(item.at)}</span>
        </li>
      )
    case "unread":
      return (
        <li class="day unread-line">
          <span>New messages</span>
        </li>
      )
    case "notice": {
      const { notice } = item
      const { type } = notice.event
      // It may have been decided about since.
      const isOver = type === "halted" && conversation.status !== "halted"
      return (
        <li class={!isOver && isNoticeLoud(notice, profile) ? "notice notice-loud" : "notice"} data-notice={type}>
          <span>{noticeText(notice, profile)}</span>
        </li>
      )
    }
    case "blocked":
      return (
        <li class="notice" data-notice="blocked">
          <span>
            {item.count === 1 ? "A message" : `${item.count} messages`} of {profile.called(item.from)}, whom you have
            blocked.{" "}
            <button type="button" class="text-button" onClick={() => profile.headless.unblock(item.from)}>
              Unblock
            </button>
          </span>
        </li>
      )
    case "pending":
      return (
        <li class="message is-own is-pending" data-state="pending">
          <p class="bubble" dir="auto">
            {textOf(item.content)}
          </p>
          <p class="message-foot">
            <ClockIcon />{" "}
            {profile.client.line.state !== "offline" && conversation.status === "active" ? "Sending…" : "Not sent yet"}
          </p>
        </li>
      )
    case "failed":
      return <Failed item={item} profile={profile} conversation={conversation} />
  }
}

interface FailedProps extends MessageListProps {
  readonly item: Extract<TimelineItem, { type: "failed" }>
}

function Failed({ item: { message }, profile, conversation }: FailedProps) {
  const thread = profile.headless.thread(conversation.id)
  return (
    <li class="message is-own is-failed" data-state="failed">
      <p class="bubble" dir="auto">
        {textOf(message.content)}
      </p>
      <p class="message-foot">
        <AlertIcon /> {failureText(message.why)}{" "}
        {conversation.status === "active" && (
          <button type="button" class="text-button" onClick={() => thread.edit(message.messageId)}>
            Edit and send again
          </button>
        )}{" "}
        <button type="button" class="text-button" onClick={() => thread.discard(message.messageId)}>
          Discard
        </button>
      </p>
    </li>
  )
}

interface MessageProps {
  readonly profile: Profile
  readonly message: ThreadMessage
  readonly before: TimelineItem | undefined
  readonly after: TimelineItem | undefined
}

function Message({ profile, message, before, after }: MessageProps) {
  const { own, from, content, sentAt } = message
  const continues = before?.type === "message" && belongTogether(before.message, message)
  const continued = after?.type === "message" && belongTogether(message, after.message)
  return (
    <li
      class={["message", own && "is-own", continues && "continues"].filter(Boolean).join(" ")}
      data-state={own ? "sent" : "received"}
    >
      <p class={continues || own ? "visually-hidden" : "message-from"}>
        {own ? "You" : <PersonName profile={profile} name={from} />}
      </p>
      <p class="bubble" dir="auto">
        {textOf(content)}
      </p>
      {!continued && (
        <p class="message-foot">
          <time dateTime={sentAt.toISOString()}>{clockTime(sentAt)}</time>
          {own && (
            <>
              <CheckIcon />
              <span class="visually-hidden">Sent</span>
            </>
          )}
        </p>
      )}
    </li>
  )
}

function belongTogether(first: ThreadMessage, second: ThreadMessage): boolean {
  return (
    first.from === second.from &&
    first.own === second.own &&
    isSameDay(first.sentAt, second.sentAt) &&
    second.sentAt.getTime() - first.sentAt.getTime() < TOGETHER_MILLISECONDS
  )
}
