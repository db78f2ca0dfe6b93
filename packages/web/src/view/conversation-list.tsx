import type { RefObject } from "preact"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import { answerWords, emptyWords, listWords } from "../profile/list-words.js"
import type { Profile } from "../profile/profile.js"
import { searchWords } from "../profile/search-words.js"
import { youWords } from "../profile/you-words.js"
import { Rows, type RowsProps } from "./conversation-rows.js"
import { ChevronIcon, Mark, PenIcon, PersonIcon, PlusIcon } from "./icons.js"
import { InvitationRows } from "./invitations.js"
import { Connection } from "./line.js"
import { NewConversation } from "./new-conversation.js"
import { part } from "./part.js"
import { Avatar, PersonName } from "./person.js"
import { addressOf } from "./route.js"
import { SettingsButton } from "./settings-button.js"

const DisplayNameDialog = part(() => import("./display-name.js").then((it) => it.DisplayNameDialog))
const SearchResults = part(() => import("./search-results.js").then((it) => it.SearchResults))

export interface ConversationListProps {
  readonly profile: Profile
  readonly selected: string | undefined
  /** Deletes what this browser keeps. */
  readonly onForget: () => void
}

export function ConversationList({ profile, selected, onForget }: ConversationListProps) {
  const [creating, setCreating] = useState(false)
  const [renaming, setRenaming] = useState(false)
  const [words, setWords] = useState("")
  const field = useRef<HTMLInputElement>(null)
  const { conversations, archived } = profile.headless.getSnapshot()
  const leave = () => {
    field.current?.focus()
    field.current?.select()
  }
  return (
    <nav class="list-pane" aria-label={listWords.region}>
      <header class="pane-head">
        <Mark size={24} />
        <span class="wordmark">Conclave</span>
        <a class="icon-button" href={addressOf({ you: true })} aria-label={youWords.open}>
          <PersonIcon />
        </a>
        <button type="button" class="icon-button" aria-label={listWords.create} onClick={() => setCreating(true)}>
          <PlusIcon />
        </button>
      </header>
      {conversations.length + archived.length > 0 && <SearchField words={words} onWords={setWords} field={field} />}
      {words.trim() === "" ? (
        <Lists profile={profile} selected={selected} onCreate={() => setCreating(true)} />
      ) : (
        <SearchResults profile={profile} words={words} onLeave={leave} />
      )}
      <footer class="list-foot">
        <Avatar profile={profile} name={profile.name} />
        <span class="list-self">
          <PersonName profile={profile} name={profile.name} />
          <Connection client={profile.client} />
        </span>
        <span class="list-foot-actions">
          <button
            type="button"
            class="icon-button"
            aria-label={listWords.displayName}
            onClick={() => setRenaming(true)}
          >
            <PenIcon />
          </button>
          <SettingsButton profile={profile} onForget={onForget} />
        </span>
      </footer>
      {renaming && <DisplayNameDialog profile={profile} onClose={() => setRenaming(false)} />}
      {creating && <NewConversation profile={profile} onClose={() => setCreating(false)} />}
    </nav>
  )
}

interface SearchFieldProps {
  readonly words: string
  readonly onWords: (words: string) => void
  readonly field: RefObject<HTMLInputElement | null>
}

/** Ctrl+K, or ⌘K, leads here from everywhere; the arrow down leads into what was found. */
function SearchField({ words, onWords, field }: SearchFieldProps) {
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
    if (event.key === "Escape") onWords("")
    else if (event.key === "ArrowDown") {
      document.querySelector<HTMLElement>(".search-results [data-roving], .list-row[tabindex='0']")?.focus()
    } else return
    event.preventDefault()
  }
  return (
    <search class="list-search">
      <label class="visually-hidden" for={fieldId}>
        {searchWords.field}
      </label>
      <input
        id={fieldId}
        ref={field}
        class="input"
        type="search"
        dir="auto"
        value={words}
        placeholder={searchWords.search}
        onInput={(event) => onWords(event.currentTarget.value)}
        onKeyDown={press}
        autocomplete="off"
        aria-keyshortcuts="Control+K Meta+K"
      />
    </search>
  )
}

type ListsProps = Omit<ConversationListProps, "onForget"> & { readonly onCreate: () => void }

function Lists({ profile, selected, onCreate }: ListsProps) {
  const { conversations, archived, invitations } = profile.headless.getSnapshot()
  return (
    <>
      <InvitationRows profile={profile} selected={selected} />
      {conversations.length === 0 ? (
        <div class="list-empty">
          {invitations.length === 0 ? (
            <>
              <p>{listWords.none}</p>
              <p>{emptyWords(profile.name)}</p>
            </>
          ) : (
            <p>{answerWords(invitations.length)}</p>
          )}
          <button type="button" class="button button-primary" onClick={onCreate}>
            {listWords.create}
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
    <section class="archive" aria-label={listWords.archive}>
      <button type="button" class="button button-quiet" aria-expanded={isShown} onClick={() => setOpen(!isOpen)}>
        <ChevronIcon /> {listWords.archived} <span class="count">{conversations.length}</span>
      </button>
      {isShown && <Rows {...props} />}
    </section>
  )
}
