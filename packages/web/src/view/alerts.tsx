import type { Alert } from "@conclave/headless/parts"
import { alertWords } from "../profile/alert-words.js"
import type { Profile } from "../profile/profile.js"
import { clockTime } from "../profile/time.js"
import { titleOf } from "../profile/words.js"
import { AlertIcon, ClockIcon } from "./icons.js"
import { KeyAlertBanner } from "./key-alerts.js"
import { ReportButton } from "./report-button.js"
import { goTo } from "./route.js"

/** What stands above everything until the user has seen it: each says one thing to do. */
export function Alerts({ profile }: { readonly profile: Profile }) {
  const keyAlerts = profile.memory.keyAlerts.filter(({ refused }) => refused !== true)
  const { alerts } = profile.memory
  const { outdated } = profile
  return (
    <>
      {(outdated || keyAlerts.length > 0 || alerts.length > 0) && (
        <section class="alerts" aria-label="Alerts">
          {outdated && <Outdated profile={profile} />}
          {keyAlerts.map((alert) => (
            <KeyAlertBanner key={`key ${alert.number}`} profile={profile} alert={alert} />
          ))}
          {alerts.map((alert) => (
            <AlertBanner key={`${alert.code} ${alert.conversation ?? ""}`} profile={profile} alert={alert} />
          ))}
        </section>
      )}
      <Patience profile={profile} />
    </>
  )
}

function Outdated({ profile }: { readonly profile: Profile }) {
  return (
    <div class="banner banner-danger" role="alert">
      <AlertIcon />
      <p class="banner-text">
        <strong>An update is needed.</strong> The service speaks newer versions only: nothing is sent or read until you
        reload this page. What you have stays.
      </p>
      <div class="banner-actions">
        <ReportButton client={profile.client} />
        <button type="button" class="button button-primary" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
    </div>
  )
}

/** The element stays, so that what appears in it is said. */
function Patience({ profile }: { readonly profile: Profile }) {
  const { waiting } = profile.client
  return (
    <div role="status">
      {waiting !== undefined && (
        <p class="banner banner-quiet">
          <ClockIcon />
          <span>
            The service is busy until {clockTime(waiting.until)}. What you write is kept, and goes out by itself.
          </span>
        </p>
      )}
    </div>
  )
}

function AlertBanner({ profile, alert }: { readonly profile: Profile; readonly alert: Alert }) {
  const conversation = profile.client.conversations.get(alert.conversation ?? "")
  const { severity, headline, text } = alertWords(alert, conversation && titleOf(conversation, profile), profile)
  return (
    <div class={`banner banner-${severity}`} role={severity === "danger" ? "alert" : "status"}>
      <AlertIcon />
      <p class="banner-text">
        <strong>{headline}</strong> {text}
      </p>
      <div class="banner-actions">
        {conversation !== undefined && (
          <button type="button" class="button" onClick={() => goTo({ conversation: conversation.id })}>
            Open
          </button>
        )}
        {alert.evidence !== undefined && alert.evidence.length > 0 && <SaveEvidence evidence={alert.evidence} />}
        <ReportButton client={profile.client} />
        <button type="button" class="button" onClick={() => profile.dismiss(alert)}>
          I have seen it
        </button>
      </div>
    </div>
  )
}

/** A file that anybody can check with `conclave verify-evidence`. */
function SaveEvidence({ evidence }: { readonly evidence: Uint8Array }) {
  const save = () => {
    const url = URL.createObjectURL(new Blob([evidence.slice()], { type: "application/octet-stream" }))
    const link = document.createElement("a")
    link.href = url
    link.download = "conclave-evidence"
    link.click()
    URL.revokeObjectURL(url)
  }
  return (
    <button type="button" class="button button-primary" onClick={save}>
      Save the evidence
    </button>
  )
}
