import type { AlertAction, ShownAlert } from "@conclave/headless/browser"
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
  const { alerts } = profile.headless.getSnapshot()
  return (
    <>
      {alerts.length > 0 && (
        <section class="alerts" aria-label="Alerts">
          {alerts.map((alert) => (
            <OneAlert key={alert.id} profile={profile} alert={alert} />
          ))}
        </section>
      )}
      <Patience profile={profile} />
    </>
  )
}

interface AlertProps {
  readonly profile: Profile
  readonly alert: ShownAlert
}

function OneAlert({ profile, alert }: AlertProps) {
  const { event } = alert
  if (event.type === "update") return <Outdated profile={profile} />
  if (event.type === "keyChanged") return <KeyAlertBanner profile={profile} alert={alert} event={event} />
  return <AlertBanner profile={profile} alert={alert} />
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

function AlertBanner({ profile, alert }: AlertProps) {
  const conversation = profile.client.conversations.get(alert.conversation ?? "")
  const { severity, headline, text } = alertWords(alert, conversation && titleOf(conversation, profile), profile)
  return (
    <div class={`banner banner-${severity}`} role={severity === "danger" ? "alert" : "status"}>
      <AlertIcon />
      <p class="banner-text">
        <strong>{headline}</strong> {text}
      </p>
      <div class="banner-actions">
        {alert.actions.map((action) => (
          <ActionButton key={action.type} profile={profile} alert={alert} action={action} />
        ))}
      </div>
    </div>
  )
}

function ActionButton({ profile, alert, action }: AlertProps & { readonly action: AlertAction }) {
  switch (action.type) {
    case "open":
      return (
        <button type="button" class="button" onClick={() => goTo({ conversation: action.conversation })}>
          Open
        </button>
      )
    case "saveEvidence":
      return <SaveEvidence evidence={action.evidence} />
    case "report":
      return <ReportButton client={profile.client} />
    case "dismiss":
      return (
        <button type="button" class="button" onClick={() => profile.headless.dismiss(alert.id)}>
          I have seen it
        </button>
      )
    // It is done where the conversation is, which says what it does; and what keys and updates need has a banner of its own.
    case "restart":
    case "approveKey":
    case "refuseKey":
    case "update":
      return null
  }
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
