import type { Conversation, ConversationStatus } from "@conclave/client/browser"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { titleOf } from "../profile/words.js"
import { words } from "../words/words.js"
import { SendIcon } from "./icons.js"
import { part } from "./part.js"

const Restart = part(() => import("./restart.js").then((it) => it.Restart))

export interface ComposerProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

export function Composer({ profile, conversation }: ComposerProps) {
  const closed = closedReason(conversation.status)
  if (closed !== undefined) {
    return (
      <p class="composer-closed">
        {closed} {conversation.status === "halted" && <RefusedKeys profile={profile} />}
      </p>
    )
  }
  if (conversation.status === "stopped") return <Restart profile={profile} conversation={conversation} />
  return (
    <>
      {(conversation.status === "recovering" || conversation.missing) && (
        <Restart profile={profile} conversation={conversation} />
      )}
      <OpenComposer
        key={profile.headless.draft(conversation.id).revision}
        profile={profile}
        conversation={conversation}
      />
    </>
  )
}

function OpenComposer({ profile, conversation }: ComposerProps) {
  const { id } = conversation
  const [text, setText] = useState(() => profile.headless.draft(id).text)
  const field = useRef<HTMLTextAreaElement>(null)
  const fieldId = useId()
  useEffect(() => {
    // A finger that chose the conversation does not ask for the keyboard.
    if (matchMedia("(pointer: fine)").matches) field.current?.focus()
  }, [])
  useEffect(() => {
    const area = field.current
    if (area === null || text === undefined) return
    area.style.height = "auto"
    area.style.height = `${area.scrollHeight}px`
  }, [text])

  const change = (value: string) => {
    setText(value)
    profile.headless.setDraft(id, value)
  }
  const send = () => {
    if (text.trim() === "") return
    profile.headless.thread(id).send(text.trimEnd())
    setText("")
    field.current?.focus()
  }
  const press = (event: KeyboardEvent) => {
    // Enter also ends the composition of a character; that is not meant to send. Safari says so by the key's code alone.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === COMPOSING_KEY_CODE) return
    event.preventDefault()
    send()
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <label class="visually-hidden" for={fieldId}>
        {words().messages.messageTo(titleOf(conversation, profile))}
      </label>
      <textarea
        ref={field}
        id={fieldId}
        rows={1}
        dir="auto"
        value={text}
        placeholder={words().messages.write}
        onInput={(event) => change(event.currentTarget.value)}
        onKeyDown={press}
        enterkeyhint="send"
      />
      <button type="submit" class="send-button" aria-label={words().messages.send} disabled={text.trim() === ""}>
        <SendIcon />
      </button>
    </form>
  )
}

/** What was refused can be looked at again: nothing goes on without it. */
function RefusedKeys({ profile }: { readonly profile: Profile }) {
  return profile.headless.getSnapshot().refusedKeys.map(({ id, event }) => (
    <button key={id} type="button" class="text-button" onClick={() => profile.headless.reconsiderKey(id)}>
      {words().messages.lookAgain(event.type === "keyChanged" ? profile.called(event.name) : "")}
    </button>
  ))
}

/** What a key has that an input method takes. */
const COMPOSING_KEY_CODE = 229

function closedReason(status: ConversationStatus): string | undefined {
  switch (status) {
    case "left":
    case "leaving":
    case "lost":
    case "continued":
    case "halted":
    case "invited":
      return words().composer[status]
    case "creating":
    case "stopped":
    case "recovering":
    case "active":
      return undefined
  }
}
