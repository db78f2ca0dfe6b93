import type { OwnDevice } from "@conclave/client/browser"
import { useId, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { partWords, words } from "../words/words.js"
import { Dialog } from "./dialog.js"
import { KeyField, recoveryProblem } from "./recovery-field.js"

interface RevokeByKeyProps {
  readonly profile: Profile
  readonly device: OwnDevice
  /** With all devices of the name that are revoked by then. */
  readonly onDone: (revoked: readonly OwnDevice[]) => void
  readonly onClose: () => void
}

/** Revokes a device that came before this one, which the recovery key alone can do. */
export function RevokeByKey({ profile, device, onDone, onClose }: RevokeByKeyProps) {
  const { you, recovery } = partWords()
  // In memory as long as this dialog is open, and nowhere else.
  const [typed, setTyped] = useState("")
  const [trouble, setTrouble] = useState("")
  const [isRevoking, setRevoking] = useState(false)
  const ids = { field: useId(), hint: useId(), problem: useId() }
  const submit = async (event: Event) => {
    event.preventDefault()
    setTrouble("")
    setRevoking(true)
    try {
      onDone(await profile.client.recovery.revokeDevice(device.id, typed))
    } catch (error) {
      setTrouble(recoveryProblem(error, true))
      setRevoking(false)
    }
  }
  return (
    <Dialog title={you.revokeTitle} onClose={onClose}>
      <form class="recovery-form" onSubmit={(event) => void submit(event)} noValidate>
        <p class="explanation">{you.revokeText}</p>
        <label for={ids.field}>{recovery.before}</label>
        <KeyField
          id={ids.field}
          value={typed}
          onInput={setTyped}
          describedBy={trouble === "" ? ids.hint : `${ids.problem} ${ids.hint}`}
          isFirst
        />
        {trouble !== "" && (
          <p class="field-problem" id={ids.problem} role="alert">
            {trouble}
          </p>
        )}
        <p class="hint" id={ids.hint}>
          {recovery.beforeHint}
        </p>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            {words().page.cancel}
          </button>
          <button type="submit" class="button button-danger" disabled={isRevoking || typed.trim() === ""}>
            {isRevoking ? you.revoking : you.revokeAction}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
