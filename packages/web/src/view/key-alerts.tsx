import type { ToldEvent } from "@conclave/client/browser"
import type { ShownAlert } from "@conclave/headless/browser"
import { useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { pageReader, paragraph } from "../profile/reader.js"
import { problem } from "../profile/words.js"
import { words } from "../words/words.js"
import { Dialog } from "./dialog.js"
import { AlertIcon } from "./icons.js"
import { part } from "./part.js"

const Comparing = part(() => import("./comparing.js").then((it) => it.Comparing))
const Verify = part(() => import("./verify.js").then((it) => it.Verify))

type KeyChanged = Extract<ToldEvent, { type: "keyChanged" }>

export interface KeyAlertProps {
  readonly profile: Profile
  readonly alert: ShownAlert
  readonly event: KeyChanged
}

/** Above everything until the user has decided. */
export function KeyAlertBanner({ profile, alert, event }: KeyAlertProps) {
  const [isComparing, setComparing] = useState(false)
  const { accepted, name, signatureKey } = event
  const [headline = "", ...rest] = words().event(event, pageReader(profile, undefined))
  const { headless } = profile
  const shared = profile.sharedWith(name)
  const wasVerified = shared.find(({ id }) => name !== profile.name && headless.comparison(id, name) === "changed")
  const who = profile.called(name)
  return (
    <div class={accepted ? "banner banner-warning" : "banner banner-danger"} role="alert">
      <AlertIcon />
      <div class="banner-text">
        <strong>{paragraph([headline])}</strong> {wasVerified !== undefined && <b>{words().keys.wasVerified(who)} </b>}
        {paragraph(rest)}
        <span class="fingerprint">
          {words().keys.newKey} <code>{headless.keyCode(name, signatureKey)}</code>
        </span>
      </div>
      <div class="banner-actions">
        {accepted ? (
          <>
            {wasVerified !== undefined && (
              <button type="button" class="button button-primary" onClick={() => setComparing(true)}>
                {words().keys.verify(who)}
              </button>
            )}
            <button type="button" class="button" onClick={() => headless.dismiss(alert.id)}>
              {words().keys.seen}
            </button>
          </>
        ) : (
          <>
            {/* The answer that is safe is the one that stands out. */}
            <button type="button" class="button button-primary" onClick={() => headless.refuseKey(alert.id)}>
              {words().keys.refuse}
            </button>
            <button type="button" class="button" onClick={() => setComparing(true)}>
              {words().keys.compare}
            </button>
          </>
        )}
      </div>
      {isComparing && !accepted && (
        <NewKey profile={profile} alert={alert} event={event} onClose={() => setComparing(false)} />
      )}
      {isComparing && accepted && wasVerified !== undefined && (
        <Verify profile={profile} conversation={wasVerified} name={name} onClose={() => setComparing(false)} />
      )}
    </div>
  )
}

/** The code of the new key, what to ask the other for, and the decision. */
function NewKey({ profile, alert, event, onClose }: KeyAlertProps & { readonly onClose: () => void }) {
  const [trouble, setTrouble] = useState<string>()
  const [differs, setDiffers] = useState(false)
  const { name, signatureKey } = event
  const { headless } = profile
  const isOwn = name === profile.name
  const who = profile.called(name)
  const approve = async () => {
    try {
      await headless.approveKey(alert.id)
      profile.say(isOwn ? words().keys.approvedOwn : words().keys.approved(who))
    } catch (error) {
      setTrouble(problem(error))
    }
  }
  const refuse = () => {
    onClose()
    headless.refuseKey(alert.id)
  }
  return (
    <Dialog title={isOwn ? words().keys.titleOwn : words().keys.title(who)} onClose={onClose}>
      <p class="explanation">{isOwn ? words().keys.howOwn : words().keys.how(who)}</p>
      <Comparing
        kind="DEVICE"
        code={headless.keyCode(name, signatureKey)}
        label={words().keys.codeLabel}
        testId="new-key-code"
        hasPicture={false}
        matched={words().keys.matched}
        mismatch={words().keys.mismatch}
        onCompared={(isMatch) => setDiffers(!isMatch)}
      />
      {trouble !== undefined && (
        <p class="field-problem" role="alert">
          {trouble}
        </p>
      )}
      <div class="dialog-actions">
        {!differs && (
          <button type="button" class="button button-danger-quiet" onClick={() => void approve()}>
            {isOwn ? words().keys.approveOwn : words().keys.approve(who)}
          </button>
        )}
        <button type="button" class="button button-primary" data-first onClick={refuse}>
          {words().keys.refuse}
        </button>
      </div>
    </Dialog>
  )
}
