import type { Conversation } from "@conclave/client/browser"
import type { Notice } from "@conclave/headless/browser"
import { useState } from "preact/hooks"
import { isNoticeLong, isNoticeLoud, noticeText } from "../profile/notice-words.js"
import type { Profile } from "../profile/profile.js"
import { listOf } from "../profile/words.js"
import { words } from "../words/words.js"

export interface NoticeLineProps {
  readonly profile: Profile
  readonly conversation: Conversation
  readonly notice: Notice
  /** Of the row. */
  readonly rowKey: string
}

/** Something that happened, between the messages. A long list of people is short until it is asked for. */
export function NoticeLine({ profile, conversation, notice, rowKey }: NoticeLineProps) {
  const [isWhole, setWhole] = useState(false)
  const { event } = notice
  const isLoud = isNoticeLoud(notice, profile) && !isOver(notice, conversation)
  return (
    <li class={isLoud ? "notice notice-loud" : "notice"} data-notice={event.type} data-key={rowKey}>
      <span dir="auto">
        {decidedText(notice, conversation, profile) ?? noticeText(notice, profile, isWhole)}
        {isNoticeLong(notice) && (
          <>
            {" "}
            <button type="button" class="text-button" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
              {isWhole ? words().notices.fewer : words().notices.all}
            </button>
          </>
        )}
      </span>
    </li>
  )
}

/** It has been decided about since, or something else is loud about it: an alert about a key, and the place of the composer. */
function isOver({ event }: Notice, { status }: Conversation): boolean {
  return event.type === "keyChanged" || (event.type === "halted" && status !== "halted")
}

/** What there is to say of a key in a line, or of what waited for it when nothing is to be decided any more. */
function decidedText(notice: Notice, conversation: Conversation, profile: Profile): string | undefined {
  const { event } = notice
  if (event.type === "halted" && isOver(notice, conversation))
    return words().notices.decided(listOf(event.names, profile))
  if (event.type !== "keyChanged" || event.name === profile.name) return undefined
  const { name, signatureKey, accepted } = event
  const who = profile.called(name)
  if (accepted) return words().keys.noticeAccepted(who)
  const isApproved = profile.headless.newDevice(name, signatureKey)?.isApproved === true
  return isApproved ? words().keys.noticeApproved(who) : words().keys.noticeOpen(who)
}
