import type { Conversation } from "@conclave/client/browser"
import type { ThreadMessage, TimelineItem } from "@conclave/headless/parts"
import { useLayoutEffect, useRef, useState } from "preact/hooks"
import { isNoticeLoud, noticeText } from "../profile/notice-words.js"
import type { Profile } from "../profile/profile.js"
import { clockTime, dayName, isSameDay } from "../profile/time.js"
import { AlertIcon, CheckIcon, ClockIcon } from "./icons.js"
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
  const items = profile.timeline(conversation)
  const { hasEarlier, loaded } = profile.thread(conversation.id)
  const area = useRef<HTMLElement>(null)
  const following = useRef(true)
  const [loading, setLoading] = useState(false)
  const lastKey = items.at(-1)?.key
  useLayoutEffect(() => {
    const element = area.current
    if (element !== null && following.current) element.scrollTop = element.scrollHeight
  }, [lastKey, loaded, items.length])
  useLayoutEffect(() => {
    const element = area.current
    if (element === null) return
    // A keyboard that comes up, or a panel, must not hide what was last read.
    const resized = new ResizeObserver(() => {
      if (following.current) element.scrollTop = element.scrollHeight
    })
    resized.observe(element)
    return () => resized.disconnect()
  }, [])
  const watch = () => {
    const element = area.current
    if (element === null) return
    following.current = element.scrollHeight - element.scrollTop - element.clientHeight < FOLLOWING_PIXELS
  }
  const loadEarlier = async () => {
    setLoading(true)
    const element = area.current
    const below = element === null ? 0 : element.scrollHeight - element.scrollTop
    await profile.loadEarlier(conversation.id)
    setLoading(false)
    // What was being read stays where it is.
    requestAnimationFrame(() => {
      if (element !== null) element.scrollTop = element.scrollHeight - below
    })
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by the keyboard.
    <section class="messages" ref={area} aria-label="Messages" tabIndex={0} onScroll={watch}>
      {hasEarlier ? (
        <button type="button" class="button button-quiet earlier" disabled={loading} onClick={() => void loadEarlier()}>
          {loading ? "Loading…" : "Earlier messages"}
        </button>
      ) : (
        loaded && <Beginning conversation={conversation} alone={conversation.members.length < 2} />
      )}
      <ol class="message-list">
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
    </section>
  )
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

function Item({ item, before, after, profile, conversation }: ItemProps) {
  if (item.type === "message") return <Message profile={profile} message={item.message} before={before} after={after} />
  if (item.type === "notice") {
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
  if (item.type === "pending") {
    return (
      <li class="message is-own is-pending" data-state="pending">
        <p class="bubble">{item.text}</p>
        <p class="message-foot">
          <ClockIcon />{" "}
          {profile.client.line.state !== "offline" && conversation.status === "active" ? "Sending…" : "Not sent yet"}
        </p>
      </li>
    )
  }
  const { message } = item
  return (
    <li class="message is-own is-failed" data-state="failed">
      <p class="bubble">{message.text}</p>
      <p class="message-foot">
        <AlertIcon /> {message.reason}{" "}
        {conversation.status === "active" && (
          <button type="button" class="text-button" onClick={() => profile.putBack(conversation.id, message.messageId)}>
            Edit and send again
          </button>
        )}{" "}
        <button
          type="button"
          class="text-button"
          onClick={() => profile.discardFailed(conversation.id, message.messageId)}
        >
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
  const { own, from, text, sentAt } = message
  const previous = before?.type === "message" ? before.message : undefined
  const newDay = previous === undefined ? before === undefined : !isSameDay(previous.sentAt, sentAt)
  const continues = !newDay && previous !== undefined && belongTogether(previous, message)
  const next = after?.type === "message" ? after.message : undefined
  const continued = next !== undefined && belongTogether(message, next)
  return (
    <>
      {newDay && (
        <li class="day">
          <span>{dayName(sentAt)}</span>
        </li>
      )}
      <li
        class={["message", own && "is-own", continues && "continues"].filter(Boolean).join(" ")}
        data-state={own ? "sent" : "received"}
      >
        <p class={continues || own ? "visually-hidden" : "message-from"}>
          {own ? "You" : <PersonName profile={profile} name={from} />}
        </p>
        <p class="bubble">{text}</p>
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
    </>
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
