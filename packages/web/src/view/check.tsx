import { useId } from "preact/hooks"

export interface CheckProps {
  readonly label: string
  readonly hint: string
  readonly isChecked: boolean
  readonly isDisabled?: boolean
  readonly onChange: (isChecked: boolean) => void
}

export function Check({ label, hint, isChecked, isDisabled = false, onChange }: CheckProps) {
  const hintId = useId()
  return (
    <div class="check">
      <label>
        <input
          type="checkbox"
          checked={isChecked}
          disabled={isDisabled}
          aria-describedby={hintId}
          // The box shows what holds, also where the browser said no.
          onChange={(event) => {
            const wanted = event.currentTarget.checked
            event.currentTarget.checked = isChecked
            onChange(wanted)
          }}
        />
        <span>{label}</span>
      </label>
      <p class="hint" id={hintId}>
        {hint}
      </p>
    </div>
  )
}
