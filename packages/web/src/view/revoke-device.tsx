import type { OwnDevice } from "@conclave/client/browser"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { shortTime } from "../profile/time.js"
import { problem } from "../profile/words.js"
import { partWords, words } from "../words/words.js"
import { Check } from "./check.js"
import { Dialog } from "./dialog.js"
import { recoveryProblem, useTypedKey, WholeKeyField } from "./recovery-field.js"

export interface RevokedDevice {
  readonly device: OwnDevice
  /** It came before this device, or by the recovery key: that alone can do it. */
  readonly byKey: boolean
}

interface RevokeDeviceProps extends RevokedDevice {
  readonly profile: Profile
  /** All of the name. */
  readonly devices: readonly OwnDevice[]
  /** With all devices of the name that are revoked by then. */
  readonly onDone: (revoked: readonly OwnDevice[]) => void
  /** What is revoked may not be known: it was broken off, or has failed. */
  readonly onDoubt: () => void
  readonly onClose: () => void
}

/** Revokes a device of the name, and those that it has signed for, but for what the person keeps. */
export function RevokeDevice({ profile, device, devices, byKey, onDone, onDoubt, onClose }: RevokeDeviceProps) {
  const { you, recovery } = partWords()
  const typed = useTypedKey()
  const [kept, setKept] = useState<readonly string[]>([])
  const [trouble, setTrouble] = useState("")
  const [isRevoking, setRevoking] = useState(false)
  const attempt = useRef(new AbortController())
  useEffect(() => () => attempt.current.abort(), [])
  const coming = comingFrom(device, devices)
  const submit = async (event: Event) => {
    event.preventDefault()
    const { client } = profile
    const { signal } = attempt.current
    const options = { keep: kept, signal }
    setTrouble("")
    setRevoking(true)
    try {
      const revoked = await (byKey
        ? client.recovery.revokeDevice(device.id, typed.read(), options)
        : client.revokeDevice(device.id, options))
      if (!signal.aborted) return onDone(revoked)
    } catch (error) {
      if (!signal.aborted) {
        setTrouble(byKey ? recoveryProblem(error, true) : problem(error))
        setRevoking(false)
      }
    }
    onDoubt()
  }
  useEffect(() => {
    if (!isRevoking) typed.focus()
  }, [isRevoking])
  return (
    <Dialog title={you.revokeTitle} onClose={onClose}>
      <form class="recovery-form" onSubmit={(event) => void submit(event)} noValidate>
        <p class="explanation">{you.revokeText(coming.length === 0)}</p>
        {coming.map(({ id, signatureKey, registeredAt }) => (
          <Check
            key={id}
            label={you.keep(profile.headless.keyCode(profile.name, signatureKey).slice(0, CODE_IN_LABEL))}
            hint={`${you.since} ${shortTime(registeredAt)}`}
            isChecked={kept.includes(id)}
            isDisabled={isRevoking}
            onChange={(isKept) => setKept(isKept ? [...kept, id] : kept.filter((it) => it !== id))}
          />
        ))}
        {byKey ? (
          <WholeKeyField label={recovery.before} typed={typed} trouble={trouble} isDisabled={isRevoking} />
        ) : (
          trouble !== "" && (
            <p class="field-problem" role="alert">
              {trouble}
            </p>
          )
        )}
        <div class="dialog-actions">
          {/* Where no key is asked for, Enter is to do nothing that cannot be undone. */}
          <button type="button" class="button" onClick={onClose} {...(!byKey && { "data-first": true })}>
            {words().page.cancel}
          </button>
          <button type="submit" class="button button-danger" disabled={isRevoking || (byKey && typed.isEmpty)}>
            {isRevoking ? you.revoking : you.revokeAction}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

/** What falls with a device: what it has signed for, and what that has. This device stays in any case. */
function comingFrom({ id }: OwnDevice, devices: readonly OwnDevice[]): readonly OwnDevice[] {
  const endorsers = new Set([id])
  for (let size = 0; size < endorsers.size; ) {
    size = endorsers.size
    for (const it of devices) if (it.endorsedBy !== undefined && endorsers.has(it.endorsedBy)) endorsers.add(it.id)
  }
  return devices.filter((it) => it.id !== id && endorsers.has(it.id) && !it.isThisDevice && it.revoked === undefined)
}

/** Two groups of five digits. */
export const CODE_IN_LABEL = 11
