import { ClientError, type ClientErrorCode } from "@conclave/client/browser"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import { namesProblem, typedNames } from "../profile/chosen-name.js"
import type { Profile } from "../profile/profile.js"
import { problem } from "../profile/words.js"
import { words } from "../words/words.js"
import { Dialog } from "./dialog.js"
import { goTo } from "./route.js"

/** What is wrong with somebody who was named, and not with the service or with this browser. */
const OF_PEOPLE: ReadonlySet<ClientErrorCode> = new Set([
  "UNKNOWN_NAME",
  "NO_KEY_PACKAGE",
  "KEY_CHANGED",
  "WRONG_CLOCK",
])

export function NewConversation({ profile, onClose }: { readonly profile: Profile; readonly onClose: () => void }) {
  const [title, setTitle] = useState("")
  const [people, setPeople] = useState("")
  const [trouble, setTrouble] = useState<{ readonly text: string; readonly isOfPeople: boolean }>()
  const [creating, setCreating] = useState(false)
  const ids = { title: useId(), people: useId(), hint: useId(), trouble: useId() }
  const alive = useRef(true)
  useEffect(
    () => () => {
      alive.current = false
    },
    [],
  )

  const submit = async (event: Event) => {
    event.preventDefault()
    const members = typedNames(people)
    const wrong = namesProblem(members)
    if (wrong !== undefined) return setTrouble({ text: wrong, isOfPeople: true })
    setTrouble(undefined)
    setCreating(true)
    const { client } = profile
    const before = new Set(client.conversations.keys())
    // It is there, and can be looked at, before the service has it.
    const stop = client.observe(() => {
      const made = [...client.conversations.values()].find((it) => it.status === "creating" && !before.has(it.id))
      if (made === undefined) return
      stop()
      goTo({ conversation: made.id })
      if (alive.current) onClose()
    })
    try {
      await client.createConversation({ title: title.trim(), members })
    } catch (error) {
      // After the dialog is gone, the conversation itself tells what failed.
      const isOfPeople = error instanceof ClientError && OF_PEOPLE.has(error.code)
      if (alive.current) setTrouble({ text: problem(error, { names: members }), isOfPeople })
    } finally {
      stop()
      if (alive.current) setCreating(false)
    }
  }

  return (
    <Dialog title={words().creation.title} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <label for={ids.title}>{words().creation.name}</label>
        <input
          id={ids.title}
          class="input"
          value={title}
          onInput={(event) => setTitle(event.currentTarget.value)}
          maxLength={80}
          autocomplete="off"
          dir="auto"
        />
        <label for={ids.people}>{words().creation.people}</label>
        <input
          id={ids.people}
          class="input"
          value={people}
          onInput={(event) => setPeople(event.currentTarget.value)}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          aria-describedby={trouble?.isOfPeople === true ? `${ids.trouble} ${ids.hint}` : ids.hint}
          aria-invalid={trouble?.isOfPeople === true}
        />
        {trouble !== undefined && (
          <p class="field-problem" id={ids.trouble} role="alert">
            {trouble.text}
          </p>
        )}
        <p class="hint" id={ids.hint}>
          {words().creation.hint}
        </p>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            {words().page.cancel}
          </button>
          <button type="submit" class="button button-primary" disabled={creating}>
            {creating ? words().creation.creating : words().creation.create}
          </button>
        </div>
      </form>
    </Dialog>
  )
}
