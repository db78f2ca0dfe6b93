import type { Conversation } from "@conclave/client/browser"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { positionWords } from "../profile/search-words.js"
import { words } from "../words/words.js"
import { CloseIcon, DownIcon, UpIcon } from "./icons.js"
import { useSearch } from "./use-search.js"

interface FindBarProps {
  readonly profile: Profile
  readonly conversation: Conversation
  /** What was typed before this was here. */
  readonly early: { current: string | undefined }
  readonly onFound: (place: { readonly seq: number } | undefined) => void
  readonly onClose: () => void
}

const FOUND_MAX = 1_000

/** Goes from match to match in one conversation, the latest first; those that are not drawn included. */
export function FindBar({ profile, conversation, early, onFound, onClose }: FindBarProps) {
  const [typed, setTyped] = useState("")
  const [at, setAt] = useState(0)
  const field = useRef<HTMLInputElement>(null)
  const fieldId = useId()
  const { hits, isOver } = useSearch(profile, typed, FOUND_MAX, conversation.id)
  const seq = hits[at]?.seq
  useEffect(() => {
    setTyped(early.current ?? "")
    early.current = undefined
    field.current?.focus()
  }, [])
  useEffect(() => {
    if (seq !== undefined) onFound({ seq })
  }, [seq])
  const change = (value: string) => {
    setTyped(value)
    setAt(0)
  }
  const go = (step: number) => {
    if (hits.length > 0) setAt((at + step + hits.length) % hits.length)
  }
  const press = (event: KeyboardEvent) => {
    if (event.key === "Escape") onClose()
    else if (event.key === "Enter" && event.target === field.current) go(event.shiftKey ? -1 : 1)
    else return
    event.preventDefault()
  }
  return (
    <search class="find-bar" onKeyDown={press}>
      <label class="visually-hidden" for={fieldId}>
        {words().search.find}
      </label>
      <input
        id={fieldId}
        ref={field}
        class="input"
        type="search"
        dir="auto"
        placeholder={words().search.find}
        value={typed}
        onInput={(event) => change(event.currentTarget.value)}
        autocomplete="off"
      />
      <span class="find-count" role="status">
        {typed.trim() === "" ? "" : positionWords(at, hits.length, isOver)}
      </span>
      <button
        type="button"
        class="icon-button"
        aria-label={words().search.earlier}
        disabled={hits.length < 2}
        onClick={() => go(1)}
      >
        <UpIcon />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label={words().search.later}
        disabled={hits.length < 2}
        onClick={() => go(-1)}
      >
        <DownIcon />
      </button>
      <button type="button" class="icon-button" aria-label={words().search.close} onClick={onClose}>
        <CloseIcon />
      </button>
    </search>
  )
}
