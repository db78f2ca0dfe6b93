import { eventWords, type ToldEvent } from "@conclave/client/browser"
import type { ShownAlert } from "@conclave/headless/browser"
import { hexOf } from "@conclave/headless/parts"
import { useState } from "preact/hooks"
import { grouped, KEY_DIGITS_SHOWN } from "../profile/keys.js"
import type { Profile } from "../profile/profile.js"
import { pageReader, paragraph } from "../profile/reader.js"
import { problem } from "../profile/words.js"
import { AlertIcon } from "./icons.js"

type KeyChanged = Extract<ToldEvent, { type: "keyChanged" }>

export interface KeyAlertProps {
  readonly profile: Profile
  readonly alert: ShownAlert
  readonly event: KeyChanged
}

/** Above everything until the user has decided. */
export function KeyAlertBanner({ profile, alert: { id }, event }: KeyAlertProps) {
  const [trouble, setTrouble] = useState<string>()
  const { accepted } = event
  const { headline, text, approval } = wordsOf(event, profile)
  const { headless } = profile
  const approve = () => headless.approveKey(id).catch((error: unknown) => setTrouble(problem(error)))
  return (
    <div class={accepted ? "banner banner-warning" : "banner banner-danger"} role="alert">
      <AlertIcon />
      <div class="banner-text">
        <strong>{headline}</strong> {text}
        <span class="fingerprint">
          New key <code>{grouped(hexOf(event.signatureKey).slice(0, KEY_DIGITS_SHOWN))}</code>
        </span>
        {trouble !== undefined && <span class="field-problem">{trouble}</span>}
      </div>
      <div class="banner-actions">
        {accepted ? (
          <button type="button" class="button" onClick={() => headless.dismiss(id)}>
            I have seen it
          </button>
        ) : (
          <>
            {/* The answer that is safe is the one that stands out. */}
            <button type="button" class="button button-primary" onClick={() => headless.refuseKey(id)}>
              Keep refusing
            </button>
            <button type="button" class="button button-danger-quiet" onClick={() => void approve()}>
              {approval}
            </button>
          </>
        )}
      </div>
    </div>
  )
}

function wordsOf(event: KeyChanged, profile: Profile) {
  const [headline = "", ...rest] = eventWords(event, pageReader(profile, undefined))
  return {
    headline: paragraph([headline]),
    text: paragraph(rest),
    approval: event.name === profile.name ? "It is mine: approve" : `It is ${profile.called(event.name)}: approve`,
  }
}
