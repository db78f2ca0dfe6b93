import type { Conversation } from "@conclave/client/browser"
import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import { acquaintanceWords } from "../profile/invitation-words.js"
import { alike } from "../profile/likeness.js"
import type { Profile } from "../profile/profile.js"
import { pageReader, paragraph } from "../profile/reader.js"
import { personOr, problem, titleOf } from "../profile/words.js"
import { partWords, words } from "../words/words.js"
import { Confirmation } from "./dialog.js"
import { BackIcon } from "./icons.js"
import { othersIn } from "./invitations.js"
import { Avatar, PersonName } from "./person.js"
import { addressOf, goTo } from "./route.js"

/** So many of the people inside are shown each with a line. */
const PEOPLE_SHOWN = 12
/** Of the conversations that the user shares with the inviter. */
const TITLES_SHOWN = 3

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
  const [asked = "", ...differences] = words().event(invited, pageReader(profile, undefined))
  const headline =
    continues === undefined
      ? partWords().invitationPane.headline(personOr(invitedBy, words().invitations.somebody, profile))
      : asked
  const people = [...(invitedBy === "" ? [] : [invitedBy]), ...othersIn(conversation, profile)]
  const marked = people.filter((name) => profile.label(name).mark !== undefined)
  const double = useMemo(() => doubleOf(invitedBy, profile), [profile.called(invitedBy)])
  const isDoubtful = marked.length > 0 || double !== undefined
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
    profile.say(partWords().invitationPane.blocked(profile.called(invitedBy)))
    leave()
  }
  return (
    <main class="chat-pane invitation-pane" aria-label={words().invitations.region}>
      <div class="pane-head only-narrow">
        <button type="button" class="icon-button" aria-label={partWords().invitationPane.back} onClick={() => goTo({})}>
          <BackIcon />
        </button>
      </div>
      <div class="invitation-card">
        <h1 tabIndex={-1} ref={heading}>
          {headline}
        </h1>
        <p>{continues === undefined ? acquaintance(invitedBy, profile) : paragraph(differences)}</p>
        {marked.length > 0 && <p class="invitation-warning">{partWords().invitationPane.mixed(marked.length)}</p>}
        {double !== undefined && (
          <p class="invitation-warning">{partWords().invitationPane.looksLike(profile.called(double))}</p>
        )}
        <h2>{partWords().invitationPane.inIt}</h2>
        <ul class="members">
          {people.slice(0, PEOPLE_SHOWN).map((name) => (
            <li key={name} class="member-row">
              <Avatar profile={profile} name={name} />
              <span class="member-name">
                <PersonName
                  profile={profile}
                  name={name}
                  note={name === invitedBy ? words().invitations.invites : undefined}
                />
              </span>
            </li>
          ))}
        </ul>
        {people.length > PEOPLE_SHOWN && <p>{partWords().invitationPane.more(people.length - PEOPLE_SHOWN)}</p>}
        <div class="action-row">
          <button
            type="button"
            class={isDoubtful ? "button" : "button button-primary"}
            disabled={answering}
            onClick={() => void answer(conversation.accept())}
          >
            {partWords().invitationPane.accept}
          </button>
          <button
            type="button"
            class={isDoubtful ? "button button-primary" : "button"}
            disabled={answering}
            onClick={() => void answer(profile.decline(conversation), leave)}
          >
            {partWords().invitationPane.decline}
          </button>
          {invitedBy !== "" && (
            <button
              type="button"
              class="button button-danger-quiet"
              disabled={answering}
              onClick={() => setBlocking(true)}
            >
              {partWords().invitationPane.block}
            </button>
          )}
        </div>
        {blocking && (
          <Confirmation
            title={partWords().invitationPane.blockTitle(profile.called(invitedBy))}
            action={partWords().invitationPane.block}
            onConfirm={block}
            onClose={() => setBlocking(false)}
          >
            {partWords().invitationPane.blockMeans}
          </Confirmation>
        )}
        {trouble !== "" && (
          <p class="field-problem" role="alert">
            {trouble}
          </p>
        )}
        <p class="hint">
          {continues === undefined ? partWords().invitationPane.seen : partWords().invitationPane.takesPlace}{" "}
          {partWords().invitationPane.declined}
        </p>
      </div>
    </main>
  )
}

/** Of those with whom the user has a conversation: somebody for whom the inviter may be taken. */
function doubleOf(inviter: string, profile: Profile): string | undefined {
  const { conversations, archived } = profile.headless.getSnapshot()
  const known = new Set([...conversations, ...archived].flatMap(({ members }) => members))
  return [...known].find(
    (name) => name !== inviter && name !== profile.name && alike([name, inviter], profile).size > 0,
  )
}

function acquaintance(inviter: string, profile: Profile): string {
  const shared = profile.sharedWith(inviter)
  const titles = shared.slice(0, TITLES_SHOWN).map((it) => titleOf(it, profile))
  return acquaintanceWords(titles, shared.length - titles.length)
}
