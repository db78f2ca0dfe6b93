import type { Conversation } from "@conclave/client/browser"
import type { TimelineItem } from "@conclave/headless/browser"
import { useMemo } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { dayName } from "../profile/time.js"
import { failureText } from "../profile/words.js"
import { language, words } from "../words/words.js"
import { AlertIcon, ClockIcon } from "./icons.js"
import { Bubble, Message } from "./message.js"
import { NoticeLine } from "./notice-line.js"

export interface ItemProps {
  readonly profile: Profile
  readonly conversation: Conversation
  readonly item: TimelineItem
  readonly before: TimelineItem | undefined
  readonly after: TimelineItem | undefined
  readonly isGroup: boolean
  /** Members who may be taken for one another. */
  readonly alike: ReadonlySet<string>
  readonly isStop: boolean
  readonly isFound: boolean
  readonly onDay: (isChoosing: boolean) => void
}

/** Drawn again only where something has changed that it shows: items keep their identity. */
export function Item(props: ItemProps) {
  const { item, before, after, profile, conversation, isGroup, alike, isStop, isFound } = props
  const { state } = profile.client.line
  const isAlike = item.type === "message" && alike.has(item.message.from)
  const label = item.type === "message" ? profile.label(item.message.from) : undefined
  // Names in notices may change with any display name: there are few.
  const always = item.type === "notice" || item.type === "blocked" ? {} : undefined
  // The line's state is shown with what waits, the conversation's with what happened.
  const around = item.type === "message" || item.type === "day" ? undefined : `${conversation.status} ${state}`
  return useMemo(
    () => <Drawn {...props} />,
    [item, before, after, around, label, always, isGroup, isAlike, isStop, isFound, language()],
  )
}

function Drawn({ item, before, after, profile, conversation, isGroup, alike, isStop, isFound, onDay }: ItemProps) {
  const { key } = item
  switch (item.type) {
    case "message":
      return (
        <Message
          profile={profile}
          message={item.message}
          before={before}
          after={after}
          isGroup={isGroup}
          isAlike={alike.has(item.message.from)}
          isStop={isStop}
          isFound={isFound}
          rowKey={key}
        />
      )
    case "day":
      return (
        <li class="day" data-key={key}>
          <button
            type="button"
            class="day-button"
            aria-label={words().messages.dayButton(dayName(item.at))}
            onClick={() => onDay(true)}
          >
            {dayName(item.at)}
          </button>
        </li>
      )
    case "unread":
      return (
        <li class="day unread-line" data-key={key}>
          <span>{words().messages.newMessages}</span>
        </li>
      )
    case "notice":
      return <NoticeLine profile={profile} conversation={conversation} notice={item.notice} rowKey={key} />
    case "blocked":
      return (
        <li class="notice" data-notice="blocked" data-key={key}>
          <span>
            {words().messages.blocked(item.count, profile.called(item.from))}{" "}
            <button type="button" class="text-button" onClick={() => profile.headless.unblock(item.from)}>
              {words().messages.unblock}
            </button>
          </span>
        </li>
      )
    case "pending":
      return (
        <li class="message is-own is-pending" data-state="pending" data-key={key}>
          <Bubble content={item.content} />
          <p class="message-foot">
            <ClockIcon />{" "}
            {profile.client.line.state !== "offline" && conversation.status === "active"
              ? words().messages.sending
              : words().messages.waiting}
          </p>
        </li>
      )
    case "failed":
      return <Failed item={item} profile={profile} conversation={conversation} />
  }
}

interface FailedProps {
  readonly profile: Profile
  readonly conversation: Conversation
  readonly item: Extract<TimelineItem, { type: "failed" }>
}

function Failed({ item: { key, message }, profile, conversation }: FailedProps) {
  const thread = profile.headless.thread(conversation.id)
  return (
    <li class="message is-own is-failed" data-state="failed" data-key={key}>
      <Bubble content={message.content} />
      <p class="message-foot">
        <AlertIcon /> {failureText(message.why)}{" "}
        {conversation.status === "active" && (
          <button type="button" class="text-button" onClick={() => thread.edit(message.messageId)}>
            {words().messages.edit}
          </button>
        )}{" "}
        <button type="button" class="text-button" onClick={() => thread.discard(message.messageId)}>
          {words().messages.discard}
        </button>
      </p>
    </li>
  )
}
