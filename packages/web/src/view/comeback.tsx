import { ClientError } from "@conclave/client/browser"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Choice } from "../opening.js"
import { deleteDatabase } from "../page/deletion.js"
import { keepTakenName } from "../profile/chosen-name.js"
import { Profile } from "../profile/profile.js"
import { type RevokingProgress, revokeOthers } from "../profile/revoking-others.js"
import { isolated } from "../profile/words.js"
import { partWords, words } from "../words/words.js"
import { Check } from "./check.js"
import { Dialog } from "./dialog.js"
import { recoveryProblem, useTypedKey, WholeKeyField } from "./recovery-field.js"
import { goTo } from "./route.js"

interface ComebackProps extends Choice {
  readonly onReturn: (profile: Profile) => void
  readonly onClose: () => void
}

/** `back`: as the name again, with other devices that are to be revoked and are not yet, or not known to be. */
type Step = "asking" | "opening" | "revoking" | "back"

/** The way back to a name whose keys are lost: makes this browser a new device of it, by the recovery key. */
export function Comeback({ name, displayName, onReturn, onClose }: ComebackProps) {
  const { comeback: said } = partWords().recovery
  const typed = useTypedKey()
  const [revokes, setRevokes] = useState(false)
  const [step, setStep] = useState<Step>("asking")
  const [trouble, setTrouble] = useState("")
  const [progress, setProgress] = useState<RevokingProgress>()
  const attempt = useRef(new AbortController())
  // From the moment on that this browser is a device of the name, which no Cancel takes back, to that when the page shows it.
  const returned = useRef<Profile | undefined>(undefined)
  const leave = () => {
    const profile = returned.current
    returned.current = undefined
    attempt.current.abort()
    return profile
  }
  useEffect(() => () => void leave()?.close(), [])
  const show = () => {
    const profile = leave()
    if (profile === undefined) return onClose()
    onReturn(profile)
    // What is to be looked at next: the devices that this one does not know.
    goTo({ you: true })
  }
  const submit = async (event: Event) => {
    event.preventDefault()
    const recovery = typed.read()
    const { signal } = attempt.current
    setTrouble("")
    try {
      setStep("opening")
      returned.current ??= await comeBack({ name, displayName }, recovery, signal)
      if (revokes) {
        setStep("revoking")
        await revokeOthers(returned.current, { recovery, signal, onProgress: setProgress })
      }
      if (!signal.aborted) show()
    } catch (error) {
      if (signal.aborted) return
      setTrouble(recoveryProblem(error, true))
      setStep(returned.current === undefined ? "asking" : "back")
    }
  }
  const isBusy = step === "opening" || step === "revoking"
  // A field that is disabled has no focus to keep.
  useEffect(() => {
    if (!isBusy) typed.focus()
  }, [isBusy])
  const isBack = step === "revoking" || step === "back"
  return (
    <Dialog title={said.title(isolated(name))} onClose={show}>
      <form class="recovery-form" onSubmit={(event) => void submit(event)} noValidate>
        {isBack ? (
          <p class="explanation" role="status">
            {said.isBack(isolated(name))}{" "}
            {progress === undefined ? said.noneRevoked : said.revoked(progress.revoked, progress.all)}
          </p>
        ) : (
          [said.device, said.conversations, said.devices].map((text) => (
            <p key={text} class="explanation">
              {text}
            </p>
          ))
        )}
        <WholeKeyField label={said.key} typed={typed} trouble={trouble} isDisabled={isBusy} />
        {!isBack && (
          <Check
            label={said.revoke}
            hint={said.revokeHint}
            isChecked={revokes}
            isDisabled={isBusy}
            onChange={setRevokes}
          />
        )}
        <div class="dialog-actions">
          <button type="button" class="button" onClick={show}>
            {isBack ? said.look : words().page.cancel}
          </button>
          <button type="submit" class="button button-primary" disabled={isBusy || typed.isEmpty}>
            {said.action[step]}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

async function comeBack(choice: Choice, recovery: string, signal: AbortSignal): Promise<Profile> {
  const profile = await opened(choice, recovery, signal)
  if (signal.aborted) {
    await profile.close()
    signal.throwIfAborted()
  }
  // From here on a reload goes on as this name, whatever is left to do.
  keepTakenName({ ...choice, name: profile.name })
  return profile
}

async function opened(choice: Choice, recovery: string, signal: AbortSignal): Promise<Profile> {
  try {
    return await Profile.open(choice, signal, { recovery })
  } catch (error) {
    if (!(error instanceof ClientError && error.code === "REVOKED")) throw error
    // A key of an earlier try, which was registered, came no further, and was revoked: nothing is kept beside it.
    if (!(await deleteDatabase(`conclave/${choice.name}`))) throw error
    return await Profile.open(choice, signal, { recovery })
  }
}
