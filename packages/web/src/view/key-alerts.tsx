import { eventWords } from "@conclave/client/browser"
import type { KeyAlert } from "@conclave/headless/parts"
import { bytesOf, grouped, KEY_DIGITS_SHOWN } from "@conclave/headless/parts"
import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { pageReader, paragraph } from "../profile/reader.js"
import { problem } from "../profile/words.js"
import { AlertIcon } from "./icons.js"

/** Above everything until the user has decided. */
export function KeyAlertBanner({ profile, alert }: { readonly profile: Profile; readonly alert: KeyAlert }) {
  const [trouble, setTrouble] = useState<string>()
  const { name, accepted } = alert
  const { headline, text, approval } = wordsOf(alert, profile)
  const approve = async () => {
    try {
      await profile.client.approveKey(name, bytesOf(alert.signatureKey))
      profile.dismissAlert(alert.number)
    } catch (error) {
      setTrouble(problem(error))
    }
  }
  return (
    <div class={accepted ? "banner banner-warning" : "banner banner-danger"} role="alert">
      <AlertIcon />
      <div class="banner-text">
        <strong>{headline}</strong> {text}
        <span class="fingerprint">
          New key <code>{grouped(alert.signatureKey.slice(0, KEY_DIGITS_SHOWN))}</code>
        </span>
        {trouble !== undefined && <span class="field-problem">{trouble}</span>}
      </div>
      <div class="banner-actions">
        {accepted ? (
          <button type="button" class="button" onClick={() => profile.dismissAlert(alert.number)}>
            I have seen it
          </button>
        ) : (
          <>
            {/* The answer that is safe is the one that stands out. */}
            <button type="button" class="button button-primary" onClick={() => profile.refuseKey(alert)}>
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

function wordsOf({ name, endorsed, accepted, signatureKey }: KeyAlert, profile: Profile) {
  const event = { type: "keyChanged", name, endorsed, accepted, signatureKey: bytesOf(signatureKey) } as const
  const [headline = "", ...rest] = eventWords(event, pageReader(profile, undefined))
  return {
    headline: paragraph([headline]),
    text: paragraph(rest),
    approval: name === profile.name ? "It is mine: approve" : `It is ${profile.called(name)}: approve`,
  }
}
