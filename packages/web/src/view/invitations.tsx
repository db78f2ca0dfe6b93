import type { Conversation } from "@conclave/client/browser"
import { useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { listOf } from "../profile/words.js"
import { words } from "../words/words.js"
import { Avatar, PersonName } from "./person.js"
import { addressOf } from "./route.js"
import { moveInList } from "./roving.js"

/** So many stand in the list, however many there are, until the user wants to see all. */
const ROWS_SHOWN = 3

interface InvitationRowsProps {
  readonly profile: Profile
  readonly selected: string | undefined
}

/** Requests, apart from the conversations: strangers make them. */
export function InvitationRows({ profile, selected }: InvitationRowsProps) {
  const [all, setAll] = useState(false)
  const rows = useRef<HTMLUListElement>(null)
  const { invitations: waiting } = profile.headless.getSnapshot()
  const invitations = waiting.flatMap(({ id }) => profile.client.conversations.get(id) ?? [])
  if (invitations.length === 0) return null
  const shown = all ? invitations : invitations.slice(0, ROWS_SHOWN)
  const stop = shown.some(({ id }) => id === selected) ? selected : shown[0]?.id
  return (
    <section class="requests" aria-labelledby="requests-title">
      <div class="requests-head">
        <h2 id="requests-title">{words().invitations.list}</h2>
        <span class="count">{invitations.length}</span>
      </div>
      <ul ref={rows} onKeyDown={(event) => moveInList(event, rows.current)}>
        {shown.map((conversation) => (
          <InvitationRow
            key={conversation.id}
            profile={profile}
            conversation={conversation}
            isSelected={conversation.id === selected}
            isStop={conversation.id === stop}
          />
        ))}
      </ul>
      {invitations.length > ROWS_SHOWN && (
        <button type="button" class="button button-quiet" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? words().invitations.fewer : words().invitations.all(invitations.length)}
        </button>
      )}
    </section>
  )
}

interface InvitationRowProps {
  readonly profile: Profile
  readonly conversation: Conversation
  readonly isSelected: boolean
  readonly isStop: boolean
}

function InvitationRow({ profile, conversation, isSelected, isStop }: InvitationRowProps) {
  const { id, invitedBy = "" } = conversation
  const others = othersIn(conversation, profile)
  return (
    <li>
      <a
        class="list-row list-request"
        href={addressOf({ conversation: id })}
        aria-current={isSelected ? "page" : undefined}
        tabIndex={isStop ? 0 : -1}
        data-roving
      >
        <Avatar profile={profile} name={invitedBy} />
        <span class="list-row-text">
          <span class="list-row-title">
            <PersonName profile={profile} name={invitedBy} />
          </span>
          <span class="list-row-last">
            {conversation.invitedToContinue === undefined ? words().invitations.invites : words().invitations.asks}
            {others.length > 0 &&
              (others.length === 1
                ? words().invitations.withOne(listOf(others, profile))
                : words().invitations.withOthers(others.length))}
          </span>
        </span>
      </a>
    </li>
  )
}

export function othersIn({ members, invitedBy }: Conversation, profile: Profile): readonly string[] {
  return members.filter((name) => name !== profile.name && name !== invitedBy)
}
