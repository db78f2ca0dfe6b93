import type { Conversation, PersonDevice, TreeNode } from "@conclave/client/browser"
import { hexOf } from "@conclave/headless/parts"
import { useEffect, useRef, useState } from "preact/hooks"
import { grouped, KEY_DIGITS_SHOWN } from "../profile/keys.js"
import type { Profile } from "../profile/profile.js"
import { shortTime } from "../profile/time.js"
import { problem } from "../profile/words.js"
import { Confirmation } from "./dialog.js"
import { ChevronIcon, ShieldIcon } from "./icons.js"
import { initialOf, PersonName } from "./person.js"
import { moveInList } from "./roving.js"

export interface MembersProps {
  readonly profile: Profile
  readonly conversation: Conversation
}

export function Members({ profile, conversation }: MembersProps) {
  const [open, setOpen] = useState<string>()
  const [stop, setStop] = useState<string>()
  const list = useRef<HTMLUListElement>(null)
  const names = [...conversation.members].sort((a, b) => Number(b === profile.name) - Number(a === profile.name))
  const others = names.filter((name) => name !== profile.name)
  const devices = deviceCounts(profile.headless.tree(conversation.id))
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
        <h3 id="members-title">Members</h3>
        <span class="count">{names.length}</span>
      </div>
      <ul class="members" ref={list} onKeyDown={press}>
        {names.map((name) => (
          <li key={name} class="member">
            {name === profile.name ? (
              <div class="member-row">
                <MemberName profile={profile} name={name} devices={devices.get(name)} note="you" />
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
                  {profile.headless.isCompared(conversation.id, name) && (
                    <span class="compared">
                      <ShieldIcon /> compared
                    </span>
                  )}
                  <ChevronIcon />
                </button>
                {open === name && <MemberDetail profile={profile} conversation={conversation} name={name} />}
              </>
            )}
          </li>
        ))}
      </ul>
      {others.length === 0 && <p class="empty">Nobody else yet. Invite somebody by the name they chose here.</p>}
    </section>
  )
}

interface MemberNameProps {
  readonly profile: Profile
  readonly name: string
  /** Of this person, in the conversation. */
  readonly devices: number | undefined
  readonly note?: string
}

function MemberName({ profile, name, devices = 1, note }: MemberNameProps) {
  const label = profile.label(name)
  const notes = [...(note === undefined ? [] : [note]), ...(devices > 1 ? [`${devices} devices`] : [])]
  return (
    <>
      <span class="monogram" aria-hidden="true">
        {initialOf(label.displayName ?? label.name)}
      </span>
      <span class="member-name">
        <PersonName profile={profile} name={name} note={notes.join(", ") || undefined} />
      </span>
    </>
  )
}

interface MemberDetailProps extends MembersProps {
  readonly name: string
}

/** The safety code with one member, and what one can do about them. */
function MemberDetail({ profile, conversation, name }: MemberDetailProps) {
  const [removing, setRemoving] = useState(false)
  const [trouble, setTrouble] = useState("")
  const code = profile.headless.safetyCode(conversation.id, name)
  const compared = profile.headless.isCompared(conversation.id, name)
  const who = profile.called(name)
  const remove = () => {
    setRemoving(false)
    conversation.remove(name).catch((error: unknown) => setTrouble(problem(error, { names: [name] })))
  }
  return (
    <section class="member-detail" aria-label={`Safety code with ${who}`}>
      <p>
        Read these digits to {who}, by voice or in person. If {who} sees the same, nobody stands between you.
      </p>
      <ol class="safety-code" aria-label="Safety code" data-testid="safety-code">
        {code.split(" ").map((group, at) => (
          <li key={at}>{group}</li>
        ))}
      </ol>
      <Devices profile={profile} name={name} />
      <div class="action-row">
        <button
          type="button"
          class={compared ? "button" : "button button-primary"}
          aria-pressed={compared}
          onClick={() => profile.headless.setCompared(conversation.id, name, !compared)}
        >
          <ShieldIcon /> {compared ? "Digits compared" : "We see the same digits"}
        </button>
        <button type="button" class="button button-danger-quiet" onClick={() => setRemoving(true)}>
          Remove
        </button>
      </div>
      {trouble !== "" && (
        <p class="field-problem" role="alert">
          {trouble}
        </p>
      )}
      {removing && (
        <Confirmation
          title={`Remove ${who}?`}
          action={`Remove ${who}`}
          onConfirm={remove}
          onClose={() => setRemoving(false)}
        >
          {who} reads nothing that is written from then on. What {who} has read so far stays on their device.
        </Confirmation>
      )}
    </section>
  )
}

interface DevicesProps {
  readonly profile: Profile
  readonly name: string
}

/** What the directory lists for a person, where that is more than one device or one that nobody vouches for. */
function Devices({ profile, name }: DevicesProps) {
  const [devices, setDevices] = useState<readonly PersonDevice[]>([])
  useEffect(() => {
    const stop = new AbortController()
    // Without the service the panel shows what the conversation itself tells.
    profile.client.devices(name, { signal: stop.signal }).then(setDevices, () => {})
    return () => stop.abort()
  }, [profile, name])
  if (devices.length < 2 && devices.every(({ endorsed }) => endorsed)) return null
  return (
    <>
      <h4>Devices registered for {profile.called(name)}</h4>
      <ul class="devices">
        {devices.slice(0, DEVICES_SHOWN).map(({ signatureKey, registeredAt, pinned, endorsed }) => (
          <li key={grouped(hexOf(signatureKey))}>
            <code>{grouped(hexOf(signatureKey).slice(0, KEY_DIGITS_SHOWN))}</code>
            <span class={endorsed ? "device-state" : "device-state is-strange"}>
              registered <time dateTime={registeredAt.toISOString()}>{shortTime(registeredAt)}</time>,{" "}
              {pinned ? "known to you" : endorsed ? "another device vouches for it" : "nobody vouches for it"}
            </span>
          </li>
        ))}
      </ul>
      {devices.length > DEVICES_SHOWN && <p>and {devices.length - DEVICES_SHOWN} more.</p>}
    </>
  )
}

const DEVICES_SHOWN = 10

function deviceCounts(nodes: readonly TreeNode[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { name } of nodes) if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
