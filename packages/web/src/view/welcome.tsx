import { useEffect, useRef, useState } from "preact/hooks"
import { nameProblem, typedName } from "../profile/chosen-name.js"
import { StartScreen } from "./start.js"

export interface WelcomeProps {
  readonly name: string
  readonly problem: string | undefined
  readonly onChoose: (name: string) => void
}

export function Welcome({ name: initial, problem: reported, onChoose }: WelcomeProps) {
  const [text, setText] = useState(initial)
  const [problem, setProblem] = useState(reported)
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.focus(), [])
  const submit = (event: Event) => {
    event.preventDefault()
    const name = typedName(text)
    const found = nameProblem(name)
    setProblem(found)
    if (found === undefined) onChoose(name)
    else field.current?.focus()
  }
  return (
    <StartScreen title="Conclave">
      <p class="start-lead">Conversations that only their members can read.</p>
      <form onSubmit={submit} noValidate>
        <label for="name">Your name</label>
        <input
          ref={field}
          id="name"
          class="input"
          value={text}
          onInput={(event) => setText(event.currentTarget.value.toLowerCase())}
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          maxLength={64}
          aria-describedby={problem === undefined ? "name-hint" : "name-problem name-hint"}
          aria-invalid={problem !== undefined}
        />
        {problem !== undefined && (
          <p class="field-problem" id="name-problem" role="alert">
            {problem}
          </p>
        )}
        <p class="hint" id="name-hint">
          Others invite you by it. It belongs to whoever takes it first, and cannot be changed.
        </p>
        <button type="submit" class="button button-primary button-wide">
          Take this name
        </button>
      </form>
      <p class="start-note">
        Your keys are made in this browser and stay in it. Clear its data, and the name and what was said are gone.
      </p>
    </StartScreen>
  )
}
