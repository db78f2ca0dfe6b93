import { ClientError } from "@conclave/client/browser"
import type { RefObject } from "preact"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import { problem } from "../profile/words.js"
import { partWords } from "../words/words.js"

interface KeyFieldProps {
  readonly id: string
  readonly field?: RefObject<HTMLInputElement | null>
  /** Where there is none, what is typed is in the field alone. */
  readonly value?: string
  readonly onInput: (value: string) => void
  readonly describedBy: string | undefined
  readonly isDisabled?: boolean
  /** It gets the focus as soon as it is there. */
  readonly isFirst: boolean
}

/** Not for the browser's memory of what was typed, nor for a service that corrects or foresees it. */
export function KeyField({ id, field, value, onInput, describedBy, isDisabled = false, isFirst }: KeyFieldProps) {
  const own = useRef<HTMLInputElement>(null)
  const shown = field ?? own
  useEffect(() => {
    const { current } = shown
    // As a property, where it is one, the first would be a boolean; the types have no second.
    current?.setAttribute("autocorrect", "off")
    current?.setAttribute("writingsuggestions", "false")
    if (isFirst) current?.focus()
    // An element may outlive its place in the page.
    return () => {
      if (current !== null) current.value = ""
    }
  }, [])
  return (
    <input
      ref={shown}
      id={id}
      class="input recovery-input"
      {...(value !== undefined && { value })}
      onInput={(event) => onInput(event.currentTarget.value)}
      autocomplete="off"
      autocapitalize="characters"
      spellcheck={false}
      translate={false}
      disabled={isDisabled}
      aria-describedby={describedBy}
    />
  )
}

/** A whole recovery key that is typed: it is in the field, and in nothing that a component keeps. */
export interface TypedKey {
  readonly field: RefObject<HTMLInputElement | null>
  readonly isEmpty: boolean
  readonly onInput: (value: string) => void
  read(): string
  focus(): void
}

export function useTypedKey(): TypedKey {
  const field = useRef<HTMLInputElement>(null)
  const [isEmpty, setEmpty] = useState(true)
  return {
    field,
    isEmpty,
    onInput: (value) => setEmpty(value.trim() === ""),
    read: () => field.current?.value ?? "",
    focus: () => field.current?.focus(),
  }
}

interface WholeKeyFieldProps {
  readonly label: string
  readonly typed: TypedKey
  /** What was wrong with what was typed, or nothing. */
  readonly trouble: string
  readonly isDisabled?: boolean
}

/** For the recovery key that the name has, with what is wrong with it. */
export function WholeKeyField({ label, typed, trouble, isDisabled = false }: WholeKeyFieldProps) {
  const ids = { field: useId(), hint: useId(), problem: useId() }
  return (
    <>
      <label for={ids.field}>{label}</label>
      <KeyField
        id={ids.field}
        field={typed.field}
        onInput={typed.onInput}
        describedBy={trouble === "" ? ids.hint : `${ids.problem} ${ids.hint}`}
        isDisabled={isDisabled}
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
