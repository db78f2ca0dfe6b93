import { useEffect, useId, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { isolated, problem } from "../profile/words.js"
import { partWords } from "../words/words.js"
import { Check } from "./check.js"
import { Dialog } from "./dialog.js"
import { KeyField, recoveryProblem } from "./recovery-field.js"

export interface ForgettingProps {
  readonly profile: Profile
  readonly onClose: () => void
  readonly onForget: () => void
}

/** Says what is deleted and what is not, before it is. */
export function Forgetting({ profile, onClose, onForget }: ForgettingProps) {
  const [erases, setErases] = useState(false)
  const [isErasing, setErasing] = useState(false)
  const [trouble, setTrouble] = useState<string>()
  const name = isolated(profile.name)
  const [needsKey, setNeedsKey] = useState(false)
  const [key, setKey] = useState("")
  const fieldId = useId()
  useEffect(() => {
    // What cannot be asked now is answered by the service when the name is to be erased.
    if (erases) profile.client.recovery.isSet().then(setNeedsKey, () => {})
  }, [erases])
  const erase = () => (needsKey ? profile.client.recovery.eraseAccount(key) : profile.client.eraseAccount())
  const confirm = async () => {
    setTrouble(undefined)
    if (erases) {
      setErasing(true)
      try {
        await erase()
      } catch (error) {
        setTrouble(needsKey ? recoveryProblem(error, true) : problem(error))
        setErasing(false)
        return
      }
    }
    onForget()
  }
  return (
    <Dialog title={partWords().forgetting.title} onClose={onClose}>
      <List title={partWords().forgetting.deleted} items={partWords().forgetting.deletedItems} />
      <List
        title={partWords().forgetting.kept}
        items={erases ? partWords().forgetting.keptItemsWithoutName : partWords().forgetting.keptItems(name)}
      />
      <Check
        label={partWords().forgetting.erase(name)}
        hint={partWords().forgetting.eraseHint}
        isChecked={erases}
        isDisabled={isErasing}
        onChange={setErases}
      />
      {erases && needsKey && (
        <>
          <label for={fieldId}>{partWords().recovery.before}</label>
          <KeyField id={fieldId} value={key} onInput={setKey} describedBy={undefined} isFirst />
        </>
      )}
      {trouble !== undefined && (
        <p class="field-problem" role="alert">
          {trouble}
        </p>
      )}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onClose} disabled={isErasing}>
          {partWords().forgetting.cancel}
        </button>
        <button type="button" class="button button-danger" onClick={() => void confirm()} disabled={isErasing}>
          {isErasing ? partWords().forgetting.erasing : partWords().forgetting.action}
        </button>
      </div>
    </Dialog>
  )
}

function List({ title, items }: { readonly title: string; readonly items: readonly string[] }) {
  return (
    <>
      <p>{title}</p>
      <ul class="bullets">
        {items.map((item) => (
          <li key={item}>{item}</li>
        ))}
      </ul>
    </>
  )
}
