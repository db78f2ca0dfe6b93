import { useState } from "preact/hooks"
import { bytesOf, grouped, KEY_DIGITS_SHOWN } from "../profile/keys.js"
import type { KeyAlert } from "../profile/memory.js"
import type { Profile } from "../profile/profile.js"
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

function wordsOf({ name, accepted }: KeyAlert, profile: Profile) {
  const who = profile.called(name)
  if (name === profile.name) {
    return {
      headline: accepted ? "You have added a device." : "A strange device speaks under your name.",
      text: accepted
        ? "One of your earlier keys vouches for it. If it was not you, somebody has that other device: ask a member of each conversation to remove you, and to invite you again."
        : "None of your devices vouches for it. If it is not yours, warn the people you talk with, by voice or in person: those who have not met you yet may take it for you.",
      approval: "It is mine: approve",
    }
  }
  return {
    headline: accepted ? `${who} has added a device.` : `${who} speaks with a new key.`,
    text: accepted
      ? "One of their earlier keys vouches for it. The safety code has changed: compare it again when you can."
      : "It is a new installation, or somebody who pretends to be them. Ask them in another way, by voice or in person, before you go on.",
    approval: `It is ${who}: approve`,
  }
}
