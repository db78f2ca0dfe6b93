import type { RefObject } from "preact"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { isolated } from "../profile/words.js"
import { words } from "../words/words.js"
import { Rows, type RowsProps } from "./conversation-rows.js"
import { ChevronIcon, Mark, PersonIcon, PlusIcon } from "./icons.js"
import { InvitationRows } from "./invitations.js"
import { Connection } from "./line.js"
import { NewConversation } from "./new-conversation.js"
import { part } from "./part.js"
import { Avatar, PersonName } from "./person.js"
import { addressOf } from "./route.js"
import { SettingsButton } from "./settings-button.js"
import { useAlone } from "./use-alone.js"

const SearchResults = part(() => import("./search-results.js").then((it) => it.SearchResults))

export interface ConversationListProps {
  readonly profile: Profile
  readonly selected: string | undefined
  /** Where there is room for one pane only, it is this one. */
  readonly isShown: boolean
  /** Deletes what this browser keeps. */
  readonly onForget: () => void
}

export function ConversationList({ profile, selected, isShown, onForget }: ConversationListProps) {
  const [creating, setCreating] = useState(false)
  const [typed, setTyped] = useState("")
  const field = useRef<HTMLInputElement>(null)
  const isAlone = useAlone(isShown)
  const { conversations, archived } = profile.headless.getSnapshot()
  const leave = () => {
    field.current?.focus()
    field.current?.select()
  }
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: each of the two roles has a label.
    <div class="list-pane" role={isAlone ? "main" : "navigation"} aria-label={words().list.region}>
      <div class="pane-head">
        <Mark size={24} />
        {isAlone ? <h1 class="wordmark">Conclave</h1> : <span class="wordmark">Conclave</span>}
        <a class="icon-button" href={addressOf({ you: true })} aria-label={words().list.openYou}>
          <PersonIcon />
        </a>
        <button type="button" class="icon-button" aria-label={words().list.create} onClick={() => setCreating(true)}>
          <PlusIcon />
        </button>
      </div>
      {conversations.length + archived.length > 0 && <SearchField typed={typed} onTyped={setTyped} field={field} />}
      {typed.trim() === "" ? (
        <Lists profile={profile} selected={selected} onCreate={() => setCreating(true)} />
      ) : (
        <SearchResults profile={profile} typed={typed} onLeave={leave} />
      )}
      <div class="list-foot">
        <Avatar profile={profile} name={profile.name} />
        <span class="list-self">
          <PersonName profile={profile} name={profile.name} />
          <Connection client={profile.client} />
        </span>
        <SettingsButton profile={profile} onForget={onForget} />
      </div>
      {creating && <NewConversation profile={profile} onClose={() => setCreating(false)} />}
    </div>
  )
}

interface SearchFieldProps {
  readonly typed: string
  readonly onTyped: (typed: string) => void
  readonly field: RefObject<HTMLInputElement | null>
}

/** Ctrl+K, or ⌘K, leads here from everywhere; the arrow down leads into what was found. */
function SearchField({ typed, onTyped, field }: SearchFieldProps) {
  const fieldId = useId()
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const isAsked = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey
      if (!isAsked || document.querySelector("dialog[open]") !== null || field.current?.checkVisibility() !== true)
        return
      event.preventDefault()
      field.current.focus()
      field.current.select()
    }
    addEventListener("keydown", press)
    return () => removeEventListener("keydown", press)
  }, [])
  const press = (event: KeyboardEvent) => {
    if (event.key === "Escape") onTyped("")
    else if (event.key === "ArrowDown") {
      document.querySelector<HTMLElement>(".search-results [data-roving], .list-row[tabindex='0']")?.focus()
    } else return
    event.preventDefault()
  }
  return (
    <search class="list-search">
      <label class="visually-hidden" for={fieldId}>
        {words().search.field}
      </label>
      <input
        id={fieldId}
        ref={field}
        class="input"
        type="search"
        dir="auto"
        value={typed}
        placeholder={words().search.search}
        onInput={(event) => onTyped(event.currentTarget.value)}
        onKeyDown={press}
        autocomplete="off"
        aria-keyshortcuts="Control+K Meta+K"
      />
    </search>
  )
}

type ListsProps = Omit<ConversationListProps, "isShown" | "onForget"> & { readonly onCreate: () => void }

function Lists({ profile, selected, onCreate }: ListsProps) {
  const { conversations, archived, invitations } = profile.headless.getSnapshot()
  return (
    <>
      <InvitationRows profile={profile} selected={selected} />
      {conversations.length === 0 ? (
        <div class="list-empty">
          {invitations.length === 0 ? (
            <>
              <p>{words().list.none}</p>
              <p>{words().list.empty(isolated(profile.name))}</p>
            </>
          ) : (
            <p>{words().list.answer(invitations.length)}</p>
          )}
          <button type="button" class="button button-primary" onClick={onCreate}>
            {words().list.create}
          </button>
        </div>
      ) : (
        <Rows profile={profile} conversations={conversations} selected={selected} />
      )}
      {archived.length > 0 && <Archive profile={profile} conversations={archived} selected={selected} />}
    </>
  )
}

/** Out of the way, and one click away. */
function Archive(props: RowsProps) {
  const { conversations, selected } = props
  const [isOpen, setOpen] = useState(false)
  const isShown = isOpen || conversations.some(({ id }) => id === selected)
  return (
    <section class="archive" aria-label={words().list.archive}>
      <button type="button" class="button button-quiet" aria-expanded={isShown} onClick={() => setOpen(!isOpen)}>
        <ChevronIcon /> {words().list.archived} <span class="count">{conversations.length}</span>
      </button>
      {isShown && <Rows {...props} />}
    </section>
  )
}
