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
  const isLoud = isNoticeLoud(notice, profile) && !isOver(notice, conversation, profile)
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

/** It has been decided about since. */
function isOver({ event }: Notice, { status }: Conversation, { headless }: Profile): boolean {
  if (event.type === "halted") return status !== "halted"
  if (event.type === "keyChanged") return !headless.isKeyOpen(event.name, event.signatureKey)
  return false
}

/** What there is to say of a key, or of what waited for it, when nothing is to be decided any more. */
function decidedText(notice: Notice, conversation: Conversation, profile: Profile): string | undefined {
  const { event } = notice
  if (event.type === "halted" && isOver(notice, conversation, profile))
    return words().notices.decided(listOf(event.names, profile))
  if (event.type !== "keyChanged" || event.name === profile.name) return undefined
  const { name, signatureKey, accepted } = event
  if (profile.headless.isKeyOpen(name, signatureKey)) return undefined
  if (accepted) return words().keys.noticeAccepted(profile.called(name))
  const isApproved = profile.headless.newDevice(name, signatureKey)?.isApproved === true
  return isApproved ? words().keys.noticeApproved(profile.called(name)) : undefined
}
