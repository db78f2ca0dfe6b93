import type { ConversationSummary } from "@conclave/headless/browser"
import { useRef, useState } from "preact/hooks"
import { textOf } from "../profile/content-words.js"
import type { Profile } from "../profile/profile.js"
import { shortTime } from "../profile/time.js"
import { isolated, titleOf } from "../profile/words.js"
import { DisplayNameDialog } from "./display-name.js"
import { ChevronIcon, Mark, MuteIcon, PenIcon, PlusIcon } from "./icons.js"
import { InvitationRows } from "./invitations.js"
import { Connection } from "./line.js"
import { NewConversation } from "./new-conversation.js"
import { initialOf, PersonName } from "./person.js"
import { addressOf } from "./route.js"
import { moveInList } from "./roving.js"
import { SettingsButton } from "./settings-button.js"

export interface ConversationListProps {
  readonly profile: Profile
  readonly selected: string | undefined
  /** Deletes what this browser keeps. */
  readonly onForget: () => void
}

export function ConversationList({ profile, selected, onForget }: ConversationListProps) {
  const [creating, setCreating] = useState(false)
  const [renaming, setRenaming] = useState(false)
  const { conversations, archived, invitations } = profile.headless.getSnapshot()
  const { name, displayName } = profile.label(profile.name)
  return (
    <nav class="list-pane" aria-label="Conversations">
      <header class="pane-head">
        <Mark size={24} />
        <span class="wordmark">Conclave</span>
        <button type="button" class="icon-button" aria-label="New conversation" onClick={() => setCreating(true)}>
          <PlusIcon />
        </button>
      </header>
      <InvitationRows profile={profile} selected={selected} />
      {conversations.length === 0 ? (
        <div class="list-empty">
          {invitations.length === 0 ? (
            <>
              <p>No conversations yet.</p>
              <p>Create one and invite people by name, or tell others that you are “{isolated(profile.name)}” here.</p>
            </>
          ) : (
            <p>{`Answer ${invitations.length === 1 ? "the invitation" : "an invitation"} above, or create a conversation.`}</p>
          )}
          <button type="button" class="button button-primary" onClick={() => setCreating(true)}>
            New conversation
          </button>
        </div>
      ) : (
        <Rows profile={profile} conversations={conversations} selected={selected} />
      )}
      {archived.length > 0 && <Archive profile={profile} conversations={archived} selected={selected} />}
      <footer class="list-foot">
        <span class="monogram" aria-hidden="true">
          {initialOf(displayName ?? name)}
        </span>
        <span class="list-self">
          <PersonName profile={profile} name={profile.name} />
          <Connection client={profile.client} />
        </span>
        <span class="list-foot-actions">
          <button
            type="button"
            class="icon-button"
            aria-label="Change your display name"
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

/** Out of the way, and one click away. */
function Archive(props: RowsProps) {
  const { conversations, selected } = props
  const [isOpen, setOpen] = useState(false)
  const isShown = isOpen || conversations.some(({ id }) => id === selected)
  return (
    <section class="archive" aria-label="Archived conversations">
      <button type="button" class="button button-quiet" aria-expanded={isShown} onClick={() => setOpen(!isOpen)}>
        <ChevronIcon /> Archived <span class="count">{conversations.length}</span>
      </button>
      {isShown && <Rows {...props} />}
    </section>
  )
}

interface RowsProps {
  readonly profile: Profile
  readonly conversations: readonly ConversationSummary[]
  readonly selected: string | undefined
}

function Rows({ profile, conversations, selected }: RowsProps) {
  const list = useRef<HTMLUListElement>(null)
  const stop = conversations.some(({ id }) => id === selected) ? selected : conversations[0]?.id
  return (
    <ul class="list-rows" ref={list} onKeyDown={(event) => moveInList(event, list.current)}>
      {conversations.map((conversation) => {
        const { id, unread, last, isMuted } = conversation
        const title = titleOf({ ...conversation, invitedBy: undefined }, profile)
        return (
          <li key={id}>
            <a
              class="list-row"
              href={addressOf({ conversation: id })}
              aria-current={id === selected ? "page" : undefined}
              tabIndex={id === stop ? 0 : -1}
              data-roving
            >
              <span class="monogram" aria-hidden="true">
                {initialOf(title)}
              </span>
              <span class="list-row-text">
                <span class="list-row-title">
                  <bdi>{title}</bdi>
                  {isMuted && (
                    <>
                      <MuteIcon />
                      <span class="visually-hidden"> muted</span>
                    </>
                  )}
                </span>
                <span class="list-row-last">
                  <Summary conversation={conversation} profile={profile} selected={selected} />
                </span>
              </span>
              <span class="list-row-side">
                {last !== undefined && <time dateTime={last.sentAt.toISOString()}>{shortTime(last.sentAt)}</time>}
                {unread > 0 && (
                  <span class={isMuted ? "unread is-muted" : "unread"}>
                    {unread}
                    <span class="visually-hidden"> unread</span>
                  </span>
                )}
              </span>
            </a>
          </li>
        )
      })}
    </ul>
  )
}

interface SummaryProps {
  readonly conversation: ConversationSummary
  readonly profile: Profile
  readonly selected: string | undefined
}

function Summary({ conversation, profile, selected }: SummaryProps) {
  const { id, last, hasDraft, pending } = conversation
  const state = stateWords(conversation, profile)
  if (state !== undefined) return <>{state}</>
  // The field itself shows what is being written.
  if (hasDraft && id !== selected) {
    return (
      <>
        <span class="list-row-draft">Draft:</span> <bdi>{profile.headless.draft(id).text}</bdi>
      </>
    )
  }
  if (last === undefined) return <>{pending > 0 ? "Not sent yet" : "No messages yet"}</>
  return (
    <>
      {last.own ? "You" : profile.called(last.from)}: <bdi>{textOf(last.content)}</bdi>
    </>
  )
}

/** What there is to say of a conversation in which not everything is as it should be. */
function stateWords({ status, removedBy }: ConversationSummary, profile: Profile): string | undefined {
  switch (status) {
    case "invited":
      return "You are invited"
    case "creating":
      return "Being created"
    case "left":
      return leftWords(removedBy, profile)
    case "leaving":
      return "Leaving"
    case "halted":
      return "Stopped: a key has changed"
    case "recovering":
      return "Waiting to be let back in"
    case "stopped":
      return "Locked: go on in a new group"
    case "continued":
      return "Goes on in a new group"
    case "lost":
      return "Lost: ask to be invited again"
    case "active":
      return undefined
  }
}

function leftWords(removedBy: string | undefined, profile: Profile): string {
  if (removedBy === profile.name) return "You left"
  return removedBy === undefined || removedBy === ""
    ? "You are no longer a member"
    : `Removed by ${profile.called(removedBy)}`
}
