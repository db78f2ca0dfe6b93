import { type Conversation, eventWords } from "@conclave/client/browser"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { pageReader, paragraph } from "../profile/reader.js"
import { list, personOr, problem, titleOf } from "../profile/words.js"
import { Confirmation } from "./dialog.js"
import { BackIcon } from "./icons.js"
import { othersIn } from "./invitations.js"
import { initialOf, PersonName } from "./person.js"
import { addressOf, goTo } from "./route.js"

/** So many of the people inside are shown each with a line. */
const PEOPLE_SHOWN = 12

interface InvitationPaneProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

/** Who asks, and who is in it: nothing of the conversation itself before the user has accepted. */
export function InvitationPane({ profile, conversation }: InvitationPaneProps) {
  const [trouble, setTrouble] = useState("")
  const [answering, setAnswering] = useState(false)
  const [blocking, setBlocking] = useState(false)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  const { invitedBy = "" } = conversation
  const { invitedToContinue: continues, members } = conversation
  const invited = { type: "invited", by: invitedBy, members, continues } as const
  const [asked = "", ...differences] = eventWords(invited, pageReader(profile, undefined))
  const headline =
    continues === undefined ? `${personOr(invitedBy, "Somebody", profile)} invites you to a conversation` : asked
  const people = [...(invitedBy === "" ? [] : [invitedBy]), ...othersIn(conversation, profile)]
  const marked = people.filter((name) => profile.label(name).mark !== undefined)
  const answer = async (work: Promise<void>, done = () => {}) => {
    setAnswering(true)
    setTrouble("")
    try {
      await work
      done()
    } catch (error) {
      setTrouble(problem(error))
      setAnswering(false)
    }
  }
  const leave = () => {
    if (location.hash !== addressOf({ conversation: conversation.id })) return
    goTo({})
    // What had the focus is gone.
    const list = document.querySelector<HTMLElement>(".list-pane")
    const stop = list?.querySelector<HTMLElement>("[data-roving][tabindex='0']") ?? list?.querySelector("button")
    stop?.focus()
  }
  const block = () => {
    setBlocking(false)
    profile.headless.block(invitedBy)
    profile.say(`${profile.called(invitedBy)} is blocked.`)
    leave()
  }
  return (
    <main class="chat-pane invitation-pane" aria-label="Invitation">
      <div class="pane-head only-narrow">
        <button type="button" class="icon-button" aria-label="All conversations" onClick={() => goTo({})}>
          <BackIcon />
        </button>
      </div>
      <div class="invitation-card">
        <h1 tabIndex={-1} ref={heading}>
          {headline}
        </h1>
        <p>{continues === undefined ? acquaintance(invitedBy, profile) : paragraph(differences)}</p>
        {marked.length > 0 && (
          <p class="invitation-warning">
            {marked.length === 1 ? "A name" : `${marked.length} names`} here mixes letters of different alphabets, and
            may imitate the name of somebody else. Ask in another way before you accept.
          </p>
        )}
        <h2>Who is in it</h2>
        <ul class="members">
          {people.slice(0, PEOPLE_SHOWN).map((name) => (
            <li key={name} class="member-row">
              <span class="monogram" aria-hidden="true">
                {initialOf(profile.label(name).displayName ?? name)}
              </span>
              <span class="member-name">
                <PersonName profile={profile} name={name} note={name === invitedBy ? "invites you" : undefined} />
              </span>
            </li>
          ))}
        </ul>
        {people.length > PEOPLE_SHOWN && <p>and {people.length - PEOPLE_SHOWN} more.</p>}
        <div class="action-row">
          <button
            type="button"
            class={marked.length > 0 ? "button" : "button button-primary"}
            disabled={answering}
            onClick={() => void answer(conversation.accept())}
          >
            Accept
          </button>
          <button
            type="button"
            class={marked.length > 0 ? "button button-primary" : "button"}
            disabled={answering}
            onClick={() => void answer(profile.decline(conversation), leave)}
          >
            Decline
          </button>
          {invitedBy !== "" && (
            <button
              type="button"
              class="button button-danger-quiet"
              disabled={answering}
              onClick={() => setBlocking(true)}
            >
              Block
            </button>
          )}
        </div>
        {blocking && (
          <Confirmation
            title={`Block ${profile.called(invitedBy)}?`}
            action="Block"
            onConfirm={block}
            onClose={() => setBlocking(false)}
          >
            This invitation and all others by them are declined. What they say in groups with others is not shown to
            you; there you can unblock them. They are not told.
          </Confirmation>
        )}
        {trouble !== "" && (
          <p class="field-problem" role="alert">
            {trouble}
          </p>
        )}
        <p class="hint">
          {continues === undefined
            ? "You see title and messages after you have accepted."
            : "If you accept, it takes the place of the old conversation, whose messages stay, and what you have still to send is sent there."}{" "}
          If you decline, the invitation is gone, and the members are told.
        </p>
      </div>
    </main>
  )
}

function acquaintance(inviter: string, profile: Profile): string {
  const shared = profile.sharedWith(inviter)
  if (shared.length === 0) {
    return "You have no conversation with them yet: be sure that you know who it is."
  }
  const titles = shared.slice(0, 3).map((it) => `“${titleOf(it, profile)}”`)
  return `You talk with them already, in ${list([...titles, ...(shared.length > 3 ? [`${shared.length - 3} more`] : [])])}.`
}
