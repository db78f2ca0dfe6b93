import { ClientError } from "@conclave/client/browser"
import { useEffect, useId, useRef } from "preact/hooks"
import { problem } from "../profile/words.js"
import { partWords } from "../words/words.js"

interface KeyFieldProps {
  readonly id: string
  readonly value: string
  readonly onInput: (value: string) => void
  readonly describedBy: string | undefined
  /** It gets the focus as soon as it is there. */
  readonly isFirst: boolean
}

/** Not for the browser's memory of what was typed. */
export function KeyField({ id, value, onInput, describedBy, isFirst }: KeyFieldProps) {
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (isFirst) field.current?.focus()
  }, [])
  return (
    <input
      ref={field}
      id={id}
      class="input recovery-input"
      value={value}
      onInput={(event) => onInput(event.currentTarget.value)}
      autocomplete="off"
      autocapitalize="characters"
      spellcheck={false}
      aria-describedby={describedBy}
    />
  )
}

interface WholeKeyFieldProps {
  readonly id: string
  readonly label: string
  readonly value: string
  readonly onInput: (value: string) => void
  /** What was wrong with what was typed, or nothing. */
  readonly trouble: string
}

/** For the recovery key that the name has, with what is wrong with it. */
export function WholeKeyField({ id, label, value, onInput, trouble }: WholeKeyFieldProps) {
  const ids = { hint: useId(), problem: useId() }
  return (
    <>
      <label for={id}>{label}</label>
      <KeyField
        id={id}
        value={value}
        onInput={onInput}
        describedBy={trouble === "" ? ids.hint : `${ids.problem} ${ids.hint}`}
        isFirst
      />
      {trouble !== "" && (
        <p class="field-problem" id={ids.problem} role="alert">
          {trouble}
        </p>
      )}
      <p class="hint" id={ids.hint}>
        {partWords().recovery.beforeHint}
      </p>
    </>
  )
}

/** `wasAsked`: for the recovery key that the name has, which the service may refuse. */
export function recoveryProblem(error: unknown, wasAsked: boolean): string {
  const said = partWords().recovery
  if (error instanceof TypeError) return said.notAKey
  if (wasAsked && error instanceof ClientError && error.code === "REFUSED") return said.notAccepted
  return problem(error)
}
