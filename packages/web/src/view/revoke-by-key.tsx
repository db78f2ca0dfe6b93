import type { OwnDevice } from "@conclave/client/browser"
import { useId, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { partWords, words } from "../words/words.js"
import { Dialog } from "./dialog.js"
import { recoveryProblem, WholeKeyField } from "./recovery-field.js"

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
  const field = useId()
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
        <WholeKeyField id={field} label={recovery.before} value={typed} onInput={setTyped} trouble={trouble} />
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
