import type { OwnDevice } from "@conclave/client/browser"
import { useEffect, useRef, useState } from "preact/hooks"
import { scannableText } from "../profile/codes.js"
import { dismissAlertsOf } from "../profile/own-alerts.js"
import type { Profile } from "../profile/profile.js"
import { shortTime } from "../profile/time.js"
import { partWords } from "../words/words.js"
import { Code, CopyButton } from "./code.js"
import { DisplayNameDialog } from "./display-name.js"
import { BackIcon } from "./icons.js"
import { QrPicture } from "./qr-picture.js"
import { RecoveryCard } from "./recovery-card.js"
import { CODE_IN_LABEL, RevokeDevice, type RevokedDevice } from "./revoke-device.js"
import { goTo } from "./route.js"
import { type Own, useOwn } from "./use-own.js"

/** The user: what they are called, the key of this device, and which devices speak for their name. */
export function You({ profile }: { readonly profile: Profile }) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [])
  const own = useOwn(profile)
  return (
    <main class="you-pane" aria-labelledby="you-title">
      <header class="pane-head">
        <button type="button" class="icon-button" aria-label={partWords().you.back} onClick={() => goTo({})}>
          <BackIcon />
        </button>
        <h1 id="you-title" tabIndex={-1} ref={title}>
          {partWords().you.title}
        </h1>
      </header>
      <div class="you-cards">
        <Named profile={profile} />
        <AboutName profile={profile} />
        <OwnKey profile={profile} />
        <OwnDevices profile={profile} own={own} />
        <RecoveryCard profile={profile} own={own} />
      </div>
    </main>
  )
}

function Named({ profile }: { readonly profile: Profile }) {
  const [renaming, setRenaming] = useState(false)
  const { name, displayName } = profile.label(profile.name)
  return (
    <section class="card" aria-labelledby="you-called">
      <div class="card-head">
        <h2 id="you-called">{partWords().you.called}</h2>
      </div>
      <dl class="you-facts">
        <div>
          <dt>{partWords().you.displayName}</dt>
          <dd>
            <bdi>{displayName ?? partWords().you.noDisplayName}</bdi>
          </dd>
        </div>
        <div>
          <dt>{partWords().you.name}</dt>
          <dd>
            <bdi>{name}</bdi>
          </dd>
        </div>
      </dl>
      <p class="hint">{partWords().you.nameFixed}</p>
      <div class="action-row">
        <button type="button" class="button" onClick={() => setRenaming(true)}>
          {partWords().you.change}
        </button>
        <CopyButton
          text={partWords().you.invitation(name, new URL(".", document.baseURI).href)}
          label={partWords().you.copyInvitation}
          done={partWords().you.invitationCopied}
        />
      </div>
      {renaming && <DisplayNameDialog profile={profile} onClose={() => setRenaming(false)} />}
    </section>
  )
}

/** Keys under the user's own name that they did not want to approve; those to be decided stand above everything. */
function AboutName({ profile }: { readonly profile: Profile }) {
  const { alerts, refusedKeys } = profile.headless.getSnapshot()
  const isOwn = ({ event }: (typeof alerts)[number]) => event.type === "keyChanged" && event.name === profile.name
  const open = alerts.filter(isOwn)
  const refused = refusedKeys.filter(isOwn)
  if (open.length > 0) return null
  return (
    <section class="card" aria-labelledby="you-alerts">
      <div class="card-head">
        <h2 id="you-alerts">{partWords().you.alerts}</h2>
      </div>
      {refused.length === 0 && <p class="explanation">{partWords().you.noAlerts}</p>}
      {refused.map(({ id }) => (
        <div key={id} class="you-alert">
          <p>{partWords().you.unknownDevice}</p>
          <button type="button" class="button" onClick={() => profile.headless.reconsiderKey(id)}>
            {partWords().you.lookAgain}
          </button>
        </div>
      ))}
    </section>
  )
}

function OwnKey({ profile }: { readonly profile: Profile }) {
  const code = profile.headless.keyCode(profile.name, profile.client.signatureKey)
  return (
    <section class="card" aria-labelledby="you-key">
      <div class="card-head">
        <h2 id="you-key">{partWords().you.key}</h2>
      </div>
      <p class="explanation">{partWords().you.keyText}</p>
      <Code code={code} label={partWords().you.codeLabel} testId="own-code" />
      <QrPicture text={scannableText("DEVICE", code)} label={partWords().you.picture} />
      <div class="action-row">
        <CopyButton text={code} label={partWords().you.copy} done={partWords().you.copied} />
      </div>
    </section>
  )
}

function OwnDevices({ profile, own: { listed, ask } }: { readonly profile: Profile; readonly own: Own }) {
  const [revoking, setRevoking] = useState<RevokedDevice>()
  const [outcome, setOutcome] = useState("")
  const devices = typeof listed === "string" ? [] : listed.devices
  const choose = (chosen: RevokedDevice) => {
    setOutcome("")
    setRevoking(chosen)
  }
  const didRevoke = (revoked: readonly OwnDevice[]) => {
    setRevoking(undefined)
    dismissAlertsOf(profile, revoked)
    setOutcome(partWords().you.didRevoke(revoked.length - devices.filter(isRevoked).length))
    ask()
  }
  return (
    <section class="card" aria-labelledby="you-devices">
      <div class="card-head">
        <h2 id="you-devices">{partWords().you.devices}</h2>
      </div>
      <p class="explanation">{partWords().you.devicesText}</p>
      {listed === "loading" && <p class="hint">{partWords().you.loading}</p>}
      {listed === "unreachable" && (
        <div class="action-row">
          <p class="hint">{partWords().you.unreachable}</p>
          <button type="button" class="button" onClick={ask}>
            {partWords().you.again}
          </button>
        </div>
      )}
      {typeof listed !== "string" && <DeviceList profile={profile} {...listed} onRevoke={choose} />}
      <p class="field-good" role="status">
        {outcome}
      </p>
      {revoking !== undefined && (
        <RevokeDevice
          profile={profile}
          {...revoking}
          devices={devices}
          onDone={didRevoke}
          onDoubt={ask}
          onClose={() => setRevoking(undefined)}
        />
      )}
    </section>
  )
}

const isRevoked = ({ revoked }: OwnDevice) => revoked !== undefined

interface DeviceListProps {
  readonly profile: Profile
  /** The oldest first. */
  readonly devices: readonly OwnDevice[]
  readonly hasRecovery: boolean
  readonly onRevoke: (chosen: RevokedDevice) => void
}

function DeviceList({ profile, devices, hasRecovery, onRevoke }: DeviceListProps) {
  const own = devices.findIndex(({ isThisDevice }) => isThisDevice)
  return (
    <ul class="devices own-devices">
      {devices.map((device, at) => {
        const { id, signatureKey, registeredAt, endorsedBy, isThisDevice, revoked } = device
        const code = profile.headless.keyCode(profile.name, signatureKey)
        // What the key has brought only the key revokes.
        const byKey = at < own || device.recovered
        const isStrange = endorsedBy === undefined && at > 0 && !isThisDevice
        const notes = [
          ...(isThisDevice ? [partWords().you.thisDevice] : []),
          ...(at === 0 && devices.length > 1 ? [partWords().you.oldest] : []),
          ...(device.recovered ? [partWords().you.recovered] : []),
          ...(revoked === undefined ? [] : [partWords().you.revoked]),
          ...(isStrange && revoked === undefined ? [partWords().you.notVouched] : []),
        ]
        return (
          <li key={id} class={revoked === undefined ? "device" : "device is-revoked"}>
            <span class="device-text">
              <code>{code}</code>
              <span class={isStrange && revoked === undefined ? "device-state is-strange" : "device-state"}>
                {partWords().you.since} <time dateTime={registeredAt.toISOString()}>{shortTime(registeredAt)}</time>
                {notes.map((note) => `, ${note}`).join("")}
              </span>
            </span>
            {revoked === undefined && at !== own && (!byKey || hasRecovery) && (
              <button
                type="button"
                class="button button-danger-quiet"
                aria-label={(byKey ? partWords().you.revokeByKeyNamed : partWords().you.revokeNamed)(
                  code.slice(0, CODE_IN_LABEL),
                )}
                onClick={() => onRevoke({ device, byKey })}
              >
                {byKey ? partWords().you.revokeByKey : partWords().you.revoke}
              </button>
            )}
            {revoked === undefined && at < own && (
              <span class="hint">{hasRecovery ? partWords().you.olderRecovery : partWords().you.older}</span>
            )}
          </li>
        )
      })}
    </ul>
  )
}
