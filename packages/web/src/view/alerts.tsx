import type { ShownAlert } from "@conclave/headless/browser"
import { type AlertStep, alertWords, stepOf } from "../profile/alert-words.js"
import type { Profile } from "../profile/profile.js"
import { clockTime } from "../profile/time.js"
import { titleOf } from "../profile/words.js"
import { words } from "../words/words.js"
import { AlertIcon, ClockIcon } from "./icons.js"
import { part } from "./part.js"
import { ReportButton } from "./report-button.js"
import { addressOf } from "./route.js"

const KeyAlertBanner = part(() => import("./key-alerts.js").then((it) => it.KeyAlertBanner))

/** What stands above everything until the user has seen it: each says one thing to do. */
export function Alerts({ profile }: { readonly profile: Profile }) {
  const { alerts } = profile.headless.getSnapshot()
  return (
    <>
      {alerts.length > 0 && (
        <section class="alerts" aria-label={words().banner.alerts}>
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
        <strong>{words().banner.outdated}</strong> {words().banner.outdatedText}
      </p>
      <div class="banner-actions">
        <ReportButton client={profile.client} />
        <button type="button" class="button button-primary" onClick={() => location.reload()}>
          {words().banner.reload}
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
          <span>{words().banner.busy(clockTime(waiting.until))}</span>
        </p>
      )}
    </div>
  )
}

function AlertBanner({ profile, alert }: AlertProps) {
  const conversation = profile.client.conversations.get(alert.conversation ?? "")
  const { severity, headline, text, detail } = alertWords(
    alert,
    conversation && titleOf(conversation, profile),
    profile,
  )
  const step = stepOf(alert)
  return (
    <div class={`banner banner-${severity}`} role={severity === "danger" ? "alert" : "status"}>
      <AlertIcon />
      <div class="banner-text">
        <strong>{headline}</strong> {text}
        {detail !== "" && (
          <details class="banner-detail">
            <summary>{words().alertButtons.detail}</summary>
            {/* What the client and the service say of it. */}
            <span lang="en">{detail}</span>
          </details>
        )}
      </div>
      <div class="banner-actions">
        <Step profile={profile} alert={alert} step={step} />
        {step !== "report" && <ReportButton client={profile.client} />}
        {step !== "seen" && (
          <button type="button" class="button" onClick={() => profile.headless.dismiss(alert.id)}>
            {words().alertButtons.seen}
          </button>
        )}
      </div>
    </div>
  )
}

function Step({ profile, alert, step }: AlertProps & { readonly step: AlertStep }) {
  const { conversation, event } = alert
  const hasConversation = conversation !== undefined && profile.client.conversations.has(conversation)
  switch (step) {
    case "open":
    case "restart":
    case "compare":
      // What it is about may be gone: then there is nothing to do but to see it.
      return hasConversation ? (
        <a class="button button-primary" href={addressOf({ conversation, group: step === "compare" })}>
          {words().alertButtons[step]}
        </a>
      ) : null
    case "devices":
      return (
        <a class="button button-primary" href={addressOf({ you: true })}>
          {words().alertButtons.devices}
        </a>
      )
    case "evidence":
      return event.type === "contradicted" ? <SaveEvidence evidence={event.evidence} /> : null
    case "report":
      return <ReportButton client={profile.client} />
    case "seen":
      return (
        <button type="button" class="button button-primary" onClick={() => profile.headless.dismiss(alert.id)}>
          {words().alertButtons.seen}
        </button>
      )
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
      {words().alertButtons.evidence}
    </button>
  )
}
