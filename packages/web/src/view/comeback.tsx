import { useEffect, useId, useRef, useState } from "preact/hooks"
import type { Choice } from "../opening.js"
import { dismissAlertsOf } from "../profile/own-alerts.js"
import { Profile } from "../profile/profile.js"
import { isolated } from "../profile/words.js"
import { partWords, words } from "../words/words.js"
import { Check } from "./check.js"
import { Dialog } from "./dialog.js"
import { recoveryProblem, WholeKeyField } from "./recovery-field.js"
import { goTo } from "./route.js"

interface ComebackProps extends Choice {
  readonly onReturn: (profile: Profile) => void
  readonly onClose: () => void
}

/** The way back to a name whose keys are lost: makes this browser a new device of it, by the recovery key. */
export function Comeback({ name, displayName, onReturn, onClose }: ComebackProps) {
  const { comeback: said } = partWords().recovery
  // In memory as long as this dialog is open, and nowhere else.
  const [typed, setTyped] = useState("")
  const [revokes, setRevokes] = useState(false)
  const [trouble, setTrouble] = useState("")
  const [isOpening, setOpening] = useState(false)
  const attempt = useRef(new AbortController())
  useEffect(() => () => attempt.current.abort(), [])
  const field = useId()
  const submit = async (event: Event) => {
    event.preventDefault()
    setTrouble("")
    setOpening(true)
    const { signal } = attempt.current
    try {
      const profile = await Profile.open({ name, displayName }, signal, { recovery: typed })
      if (revokes) await revokeOthers(profile, typed, signal)
      if (signal.aborted) return await profile.close()
      onReturn(profile)
      // What is to be looked at next: the devices that this one does not know.
      goTo({ you: true })
    } catch (error) {
      if (signal.aborted) return
      setTrouble(recoveryProblem(error, true))
      setOpening(false)
      document.getElementById(field)?.focus()
    }
  }
  return (
    <Dialog title={said.title(isolated(name))} onClose={onClose}>
      <form class="recovery-form" onSubmit={(event) => void submit(event)} noValidate>
        {[said.device, said.conversations, said.devices].map((text) => (
          <p key={text} class="explanation">
            {text}
          </p>
        ))}
        <WholeKeyField id={field} label={said.key} value={typed} onInput={setTyped} trouble={trouble} />
        <Check
          label={said.revoke}
          hint={said.revokeHint}
          isChecked={revokes}
          isDisabled={isOpening}
          onChange={setRevokes}
        />
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            {words().page.cancel}
          </button>
          <button type="submit" class="button button-primary" disabled={isOpening || typed.trim() === ""}>
            {isOpening ? said.opening : said.submit}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

/** One that is left, because the service does not answer any more, is in the list that is shown next, with a way to revoke it. */
async function revokeOthers(profile: Profile, recovery: string, signal: AbortSignal): Promise<void> {
  const { client } = profile
  try {
    const devices = await client.ownDevices({ signal })
    for (const device of devices) {
      if (device.isThisDevice || device.revoked !== undefined) continue
      await client.recovery.revokeDevice(device.id, recovery, { signal })
      dismissAlertsOf(profile, [device])
    }
  } catch {}
}
