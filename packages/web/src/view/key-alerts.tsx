import { useState } from "preact/hooks"
import type { KeyAlert } from "../profile/memory.js"
import type { Profile } from "../profile/profile.js"
import { problem } from "../profile/words.js"
import { AlertIcon } from "./icons.js"

/** Loud: they stand above everything until the user has decided. */
export function KeyAlerts({ profile }: { readonly profile: Profile }) {
  const keyAlerts = profile.memory.keyAlerts.filter(({ refused }) => refused !== true)
  if (keyAlerts.length === 0) return null
  return (
    <section class="key-alerts" aria-label="Keys that have changed">
      {keyAlerts.map((alert) => (
        <KeyAlertBanner key={alert.number} profile={profile} alert={alert} />
      ))}
    </section>
  )
}

function KeyAlertBanner({ profile, alert }: { readonly profile: Profile; readonly alert: KeyAlert }) {
  const [trouble, setTrouble] = useState<string>()
  const { name, accepted } = alert
  const who = profile.called(name)
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
        <strong>{accepted ? `${who} has added a device.` : `${who} speaks with a new key.`}</strong>{" "}
        {accepted
          ? "One of their earlier keys vouches for it. The safety code has changed: compare it again when you can."
          : "It is a new installation, or somebody who pretends to be them. Ask them in another way, by voice or in person, before you go on."}
        <span class="fingerprint">
          New key <code>{grouped(alert.signatureKey.slice(0, 24))}</code>
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
            <button type="button" class="button" onClick={() => profile.refuseKey(alert)}>
              Keep refusing
            </button>
            <button type="button" class="button button-danger" onClick={() => void approve()}>
              It is {who}: approve
            </button>
          </>
        )}
      </div>
    </div>
  )
}

function bytesOf(hexadecimal: string): Uint8Array {
  return Uint8Array.from(hexadecimal.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function grouped(digits: string): string {
  return digits.match(/.{1,4}/g)?.join(" ") ?? ""
}
