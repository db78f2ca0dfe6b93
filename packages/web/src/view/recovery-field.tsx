import { ClientError } from "@conclave/client/browser"
import { useEffect, useRef } from "preact/hooks"
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

/** `wasAsked`: for the recovery key that the name has, which the service may refuse. */
export function recoveryProblem(error: unknown, wasAsked: boolean): string {
  const said = partWords().recovery
  if (error instanceof TypeError) return said.notAKey
  if (wasAsked && error instanceof ClientError && error.code === "REFUSED") return said.notAccepted
  return problem(error)
}
