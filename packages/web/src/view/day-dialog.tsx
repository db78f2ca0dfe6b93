import { useId, useState } from "preact/hooks"
import { partWords } from "../words/words.js"
import { Dialog } from "./dialog.js"

export interface DayDialogProps {
  /** Resolves with whether there is a message of that day or later. */
  readonly onGo: (day: Date) => Promise<boolean>
  readonly onClose: () => void
}

export function DayDialog({ onGo, onClose }: DayDialogProps) {
  const [text, setText] = useState("")
  const [trouble, setTrouble] = useState<string>()
  const ids = { field: useId(), trouble: useId() }
  const submit = async (event: Event) => {
    event.preventDefault()
    const day = dayIn(text)
    if (day === undefined) return setTrouble(partWords().days.noDay)
    setTrouble(undefined)
    if (await onGo(day)) onClose()
    else setTrouble(partWords().days.noneSince)
  }
  return (
    <Dialog title={partWords().days.goToDay} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <label for={ids.field}>{partWords().days.day}</label>
        <input
          id={ids.field}
          class="input"
          type="date"
          value={text}
          max={inputDay(new Date())}
          onInput={(event) => setText(event.currentTarget.value)}
          aria-invalid={trouble !== undefined}
          aria-describedby={trouble === undefined ? undefined : ids.trouble}
        />
        {trouble !== undefined && (
          <p class="field-problem" id={ids.trouble} role="alert">
            {trouble}
          </p>
        )}
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            {partWords().days.cancel}
          </button>
          <button type="submit" class="button button-primary">
            {partWords().days.go}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

/** Where the day begins for the reader. */
function dayIn(text: string): Date | undefined {
  const parts = /^(\d{4,6})-(\d\d)-(\d\d)$/.exec(text)
  if (parts === null) return undefined
  const [year, month, day] = parts.slice(1).map(Number)
  const at = new Date(2000, month! - 1, day!)
  at.setFullYear(year!)
  return at
}

function inputDay(at: Date): string {
  const two = (number: number) => String(number).padStart(2, "0")
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}
