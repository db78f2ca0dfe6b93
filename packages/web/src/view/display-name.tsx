import { useId, useState } from "preact/hooks"
import { displayNameProblem, keepTakenName } from "../profile/chosen-name.js"
import type { Profile } from "../profile/profile.js"
import { isolated, problem } from "../profile/words.js"
import { partWords, words } from "../words/words.js"
import { Dialog } from "./dialog.js"

/** To say what others see beside one's name. */
export function DisplayNameDialog({ profile, onClose }: { readonly profile: Profile; readonly onClose: () => void }) {
  const [text, setText] = useState(profile.label(profile.name).displayName ?? "")
  const [trouble, setTrouble] = useState<string>()
  const [saving, setSaving] = useState(false)
  const ids = { field: useId(), hint: useId(), trouble: useId() }
  const submit = async (event: Event) => {
    event.preventDefault()
    const wrong = displayNameProblem(text)
    setTrouble(wrong)
    if (wrong !== undefined) return
    setSaving(true)
    try {
      const displayName = text.trim()
      await profile.client.setDisplayName(displayName)
      // For a day on which the keys are gone, and the person comes back: the service shows no name that a lost device has signed.
      keepTakenName({ name: profile.name, displayName })
      onClose()
    } catch (error) {
      setTrouble(problem(error))
      setSaving(false)
    }
  }
  return (
    <Dialog title={partWords().displayName.title} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <label for={ids.field}>{partWords().displayName.label}</label>
        <input
          id={ids.field}
          class="input"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          maxLength={256}
          autocomplete="name"
          aria-describedby={trouble === undefined ? ids.hint : `${ids.trouble} ${ids.hint}`}
          aria-invalid={trouble !== undefined}
        />
        {trouble !== undefined && (
          <p class="field-problem" id={ids.trouble} role="alert">
            {trouble}
          </p>
        )}
        <p class="hint" id={ids.hint}>
          {partWords().displayName.hint(isolated(profile.name))}
        </p>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            {words().page.cancel}
          </button>
          <button type="submit" class="button button-primary" disabled={saving}>
            {saving ? partWords().displayName.saving : partWords().displayName.save}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
