import type { Conversation } from "@conclave/client/browser"
import type { MemberDevice } from "@conclave/headless/browser"
import { useId, useRef, useState } from "preact/hooks"
import type { Profile } from "../profile/profile.js"
import { words } from "../words/words.js"
import { ChevronIcon } from "./icons.js"
import { part } from "./part.js"
import { Avatar, PersonName } from "./person.js"
import { moveInList } from "./roving.js"
import { VerifiedMark } from "./verified-mark.js"

const MemberDetail = part(() => import("./member-detail.js").then((it) => it.MemberDetail))

export interface MembersProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

/** A list that is longer has a field to search it, and shows its beginning. */
const SHORT = 12

export function Members({ profile, conversation }: MembersProps) {
  const [open, setOpen] = useState<string>()
  const [stop, setStop] = useState<string>()
  const [wanted, setWanted] = useState("")
  const [isWhole, setWhole] = useState(false)
  const list = useRef<HTMLUListElement>(null)
  const searchId = useId()
  const names = [...conversation.members].sort((a, b) => Number(b === profile.name) - Number(a === profile.name))
  const found = names.filter((name) => matches(profile, name, wanted))
  const shown = isWhole || wanted !== "" ? found : found.slice(0, SHORT)
  const others = shown.filter((name) => name !== profile.name)
  const devices = profile.headless.devices(conversation.id)
  const focusable = stop !== undefined && others.includes(stop) ? stop : others[0]
  const press = (event: KeyboardEvent) => {
    moveInList(event, list.current)
    // A dialog that is open inside closes first, by itself.
    if (event.key !== "Escape" || open === undefined || document.querySelector("dialog[open]") !== null) return
    event.preventDefault()
    const row = list.current?.querySelector<HTMLElement>("[aria-expanded=true]")
    setOpen(undefined)
    row?.focus()
  }
  return (
    <section class="card" aria-labelledby="members-title">
      <div class="card-head">
        <h3 id="members-title">{words().members.title}</h3>
        <span class="count">{names.length}</span>
      </div>
      {names.length > SHORT && (
        <div class="member-search">
          <label class="visually-hidden" for={searchId}>
            {words().members.find}
          </label>
          <input
            id={searchId}
            type="search"
            class="input"
            placeholder={words().members.find}
            value={wanted}
            onInput={(event) => setWanted(event.currentTarget.value)}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
          />
        </div>
      )}
      <ul class="members" ref={list} onKeyDown={press}>
        {shown.map((name) => (
          <li key={name} class="member">
            {name === profile.name ? (
              <div class="member-row">
                <MemberName profile={profile} name={name} devices={devices.get(name)} note={words().members.you} />
              </div>
            ) : (
              <>
                <button
                  type="button"
                  class="member-row"
                  aria-expanded={open === name}
                  tabIndex={name === focusable ? 0 : -1}
                  data-roving
                  onFocus={() => setStop(name)}
                  onClick={() => setOpen(open === name ? undefined : name)}
                >
                  <MemberName profile={profile} name={name} devices={devices.get(name)} />
                  <MemberMark profile={profile} id={conversation.id} name={name} devices={devices.get(name)} />
                  <ChevronIcon />
                </button>
                {open === name && <MemberDetail profile={profile} conversation={conversation} name={name} />}
              </>
            )}
          </li>
        ))}
      </ul>
      <p class="empty" role="status">
        {found.length === 0 ? words().members.none : ""}
      </p>
      {shown.length < found.length && (
        <button type="button" class="button button-quiet button-wide" onClick={() => setWhole(true)}>
          {words().members.showAll(found.length)}
        </button>
      )}
      {names.length < 2 && <p class="empty">{words().members.nobodyElse}</p>}
    </section>
  )
}

function matches(profile: Profile, name: string, wanted: string): boolean {
  const plain = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()
  return plain(`${name} ${profile.label(name).displayName ?? ""}`).includes(plain(wanted.trim()))
}

interface MemberNameProps {
  readonly profile: Profile
  readonly name: string
  /** Of this person, in the conversation. */
  readonly devices: readonly MemberDevice[] | undefined
  readonly note?: string
}

function MemberName({ profile, name, devices = [], note }: MemberNameProps) {
  const count = devices.length
  const notes = [...(note === undefined ? [] : [note]), ...(count > 1 ? [words().members.devices(count)] : [])]
  return (
    <>
      <Avatar profile={profile} name={name} />
      <span class="member-name">
        <PersonName profile={profile} name={name} note={notes.join(", ") || undefined} />
      </span>
    </>
  )
}

interface MemberMarkProps {
  readonly profile: Profile
  readonly id: string
  readonly name: string
  readonly devices: readonly MemberDevice[] | undefined
}

/** Verified, or no longer; and where nobody has verified: that a device is new. */
function MemberMark({ profile: { headless }, id, name, devices = [] }: MemberMarkProps) {
  const comparison = headless.comparison(id, name)
  if (comparison !== "none") return <VerifiedMark comparison={comparison} />
  const isNew = devices.some(({ signatureKey }) => headless.newDevice(name, signatureKey) !== undefined)
  return isNew ? <span class="compared is-changed">{words().members.newDevice}</span> : null
}
