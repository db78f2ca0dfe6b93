import { normalizeName } from "@conclave/client/browser"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Choice } from "../opening.js"
import { displayNameProblem, nameProblem } from "../profile/chosen-name.js"
import type { Profile } from "../profile/profile.js"
import { words } from "../words/words.js"
import { part } from "./part.js"
import { StartScreen } from "./start.js"

export interface WelcomeProps extends Choice {
  readonly problem: string | undefined
  /** Somebody has the name: a way back to it is offered. */
  readonly isTaken?: boolean
  /** With the profile of the name that is taken. */
  readonly onReturn: (profile: Profile) => void
  readonly onChoose: (choice: Choice) => void
}

interface Problems {
  readonly name?: string | undefined
  readonly displayName?: string | undefined
}

const Comeback = part(() => import("./comeback.js").then((it) => it.Comeback))

export function Welcome({ name, displayName, problem: reported, isTaken, onReturn, onChoose }: WelcomeProps) {
  const [text, setText] = useState(name)
  const [called, setCalled] = useState(displayName)
  const [problems, setProblems] = useState<Problems>({ name: reported })
  const [isReturning, setReturning] = useState(false)
  const nameField = useRef<HTMLInputElement>(null)
  const calledField = useRef<HTMLInputElement>(null)
  useEffect(() => nameField.current?.focus(), [])
  const submit = (event: Event) => {
    event.preventDefault()
    const chosen = { name: normalizeName(text), displayName: called.trim() }
    const found = { name: nameProblem(chosen.name), displayName: displayNameProblem(chosen.displayName) }
    setProblems(found)
    if (found.name !== undefined) nameField.current?.focus()
    else if (found.displayName !== undefined) calledField.current?.focus()
    else onChoose(chosen)
  }
  return (
    <>
      <StartScreen title={words().welcome.title}>
        <p class="start-lead">{words().welcome.lead}</p>
        <form onSubmit={submit} noValidate>
          <label for="name">{words().welcome.name}</label>
          <input
            ref={nameField}
            id="name"
            class="input"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            maxLength={256}
            aria-describedby={problems.name === undefined ? "name-hint" : "name-problem name-hint"}
            aria-invalid={problems.name !== undefined}
          />
          <Problem id="name-problem" text={problems.name} />
          {isTaken && (
            <button type="button" class="button" onClick={() => setReturning(true)}>
              {words().start.useRecovery}
            </button>
          )}
          <p class="hint" id="name-hint">
            {words().welcome.nameHint}
          </p>
          <label for="display-name">
            {words().welcome.displayName} <span class="label-note">{words().welcome.optional}</span>
          </label>
          <input
            ref={calledField}
            id="display-name"
            class="input"
            value={called}
            onInput={(event) => setCalled(event.currentTarget.value)}
            autocomplete="name"
            spellcheck={false}
            maxLength={256}
            aria-describedby={problems.displayName === undefined ? "display-hint" : "display-problem display-hint"}
            aria-invalid={problems.displayName !== undefined}
          />
          <Problem id="display-problem" text={problems.displayName} />
          <p class="hint" id="display-hint">
            {words().welcome.displayHint}
          </p>
          <button type="submit" class="button button-primary button-wide">
            {words().welcome.take}
          </button>
        </form>
        <p class="start-note">{words().welcome.note}</p>
      </StartScreen>
      {isReturning && (
        <Comeback name={name} displayName={displayName} onReturn={onReturn} onClose={() => setReturning(false)} />
      )}
    </>
  )
}

function Problem({ id, text }: { readonly id: string; readonly text: string | undefined }) {
  if (text === undefined) return null
  return (
    <p class="field-problem" id={id} role="alert">
      {text}
    </p>
  )
}
