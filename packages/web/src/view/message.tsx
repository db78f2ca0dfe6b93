import type { Content } from "@conclave/client/browser"
import type { ThreadMessage, TimelineItem } from "@conclave/headless/browser"
import type { ComponentChildren } from "preact"
import { useMemo, useState } from "preact/hooks"
import { textOf } from "../profile/content-words.js"
import type { Profile } from "../profile/profile.js"
import { beginningOf, isEmojiAlone, isVisible, richText } from "../profile/rich-text.js"
import { clockTime, isSameDay } from "../profile/time.js"
import { words } from "../words/words.js"
import { CheckIcon } from "./icons.js"
import { MessageActions } from "./message-actions.js"
import { Avatar, PersonName } from "./person.js"
import { RichText } from "./rich-text.js"

/** Messages of one author within this time stand under one name. */
const TOGETHER_MILLISECONDS = 5 * 60_000

export interface MessageProps {
  readonly profile: Profile
  readonly message: ThreadMessage
  readonly before: TimelineItem | undefined
  readonly after: TimelineItem | undefined
  /** There are more people than two: a face stands beside what each says. */
  readonly isGroup: boolean
  readonly isAlike: boolean
  readonly isStop: boolean
  /** It was looked for. */
  readonly isFound: boolean
  readonly rowKey: string
}

export function Message({ profile, message, before, after, isGroup, isAlike, isStop, isFound, rowKey }: MessageProps) {
  const { own, from, content, sentAt } = message
  const continues = before?.type === "message" && belongTogether(before.message, message)
  const continued = after?.type === "message" && belongTogether(message, after.message)
  const hasFace = isGroup && !own
  const marks = [own && "is-own", continues && "continues", hasFace && "has-face", isFound && "is-found"]
  return (
    <li
      class={["message", ...marks].filter(Boolean).join(" ")}
      data-state={own ? "sent" : "received"}
      data-key={rowKey}
    >
      {hasFace && !continues && <Avatar profile={profile} name={from} />}
      <p class={continues || own ? "visually-hidden" : "message-from"}>
        {own ? words().messages.you : <PersonName profile={profile} name={from} isColoured isAlike={isAlike} />}
      </p>
      <div class="message-line">
        <Bubble content={content} />
        <MessageActions profile={profile} text={textOf(content)} isStop={isStop} />
      </div>
      {!continued && (
        <p class="message-foot">
          <time dateTime={isoOf(sentAt)}>{clockTime(sentAt)}</time>
          {own && (
            <>
              <CheckIcon />
              <span class="visually-hidden">{words().messages.sent}</span>
            </>
          )}
        </p>
      )}
    </li>
  )
}

/** What somebody says. Its height has a limit, and nothing of it is drawn outside. */
export function Bubble({ content }: { readonly content: Content }) {
  const text = textOf(content)
  const [isWhole, setWhole] = useState(false)
  const beginning = beginningOf(text)
  const shown = isWhole || beginning === undefined ? text : `${beginning}…`
  const drawn = useMemo(() => drawnText(shown), [shown])
  return (
    <div class={isEmojiAlone(text) ? "bubble is-emoji" : "bubble"} dir="auto">
      {drawn}
      {beginning !== undefined && (
        <button type="button" class="text-button show-all" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
          {isWhole ? words().messages.showLess : words().messages.showAll}
        </button>
      )}
    </div>
  )
}

function drawnText(text: string): ComponentChildren {
  if (!isVisible(text)) return <p class="text is-invisible">{words().messages.invisible}</p>
  return <RichText blocks={richText(text)} />
}

function belongTogether(first: ThreadMessage, second: ThreadMessage): boolean {
  return (
    first.from === second.from &&
    first.own === second.own &&
    isSameDay(first.sentAt, second.sentAt) &&
    Math.abs(second.sentAt.getTime() - first.sentAt.getTime()) < TOGETHER_MILLISECONDS
  )
}

/** A sender's clock may say what no calendar has. */
function isoOf(at: Date): string | undefined {
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}
