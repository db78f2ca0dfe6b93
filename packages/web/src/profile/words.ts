import {
  ClientError,
  type ClientEvent,
  type Conversation,
  type PersonLabel,
  personLabel,
  shownText,
} from "@conclave/client/browser"
import type { Notice } from "./memory.js"
import { textOf } from "./thread.js"

/** Who is looking, and what people are called in a sentence. */
export interface People {
  /** The user's own name. */
  readonly name: string
  called(name: string): string
  label(name: string): PersonLabel
}

/** Code points of a title that others have chosen. */
const TITLE_LENGTH_SHOWN = 80
/** Of a reason, which may repeat what others have sent. */
const REASON_LENGTH_SHOWN = 300

/** Why something that the user asked for did not work, as a sentence that says what to do. */
export function problem(error: unknown, about: { readonly names?: readonly string[] } = {}): string {
  if (!(error instanceof ClientError)) return error instanceof Error ? sentence(error.message) : String(error)
  const who = list(about.names ?? [])
  switch (error.code) {
    case "UNKNOWN_NAME":
      return `${sentence(error.message)} Ask them to open this address and to choose that name.`
    case "NO_KEY_PACKAGE":
      return `${who || "This person"} cannot be added at present, because no key to add them with is left. Once they open their page there will be new ones.`
    case "NAME_TAKEN":
      return "Somebody has this name already. Choose another one."
    case "KEY_CHANGED":
      return `${who || "This person"} speaks with a new key. Read the notice about it, then invite them again.`
    case "NOT_A_MEMBER":
      return "You are no member of this conversation any more."
    case "TOO_LARGE":
      return "That is too long: a message has at most 64 KiB."
    case "REFUSED":
      return `The service refused: ${error.message}.`
    case "LOST":
      return "This device has lost the conversation. A member has to remove you and invite you again."
    case "UNAVAILABLE":
      return "The service does not answer. Try again in a moment."
    case "UPDATE":
      return sentence(error.message)
    case "STORE_FAILED":
      return `This browser did not store it: ${error.message}. Make room, or allow this page to keep data.`
    case "STORE_LOCKED":
      return "Another tab works with this profile."
    case "WRONG_PROFILE":
      return sentence(error.message)
    case "CLOSED":
      return "The page has let go of its profile. Reload it."
  }
}

/** Why a message that waited was not sent. */
export function failureOf({ status }: Pick<Conversation, "status">): string {
  if (status === "left" || status === "leaving") return "Not sent: you are no member any more."
  if (status === "lost") return "Not sent: this device has lost the conversation."
  return "Not sent: the service refused it."
}

export function titleOf({ title, members }: Pick<Conversation, "title" | "members">, people: People): string {
  const shown = shownText(title, TITLE_LENGTH_SHOWN).trim()
  if (shown !== "") return isolated(shown)
  const others = members.filter((name) => name !== people.name)
  return others.length === 0 ? "Untitled" : listOf(others, people)
}

/** A notice as a sentence, from the point of view of the user. */
export function noticeText(notice: Notice, people: People): string {
  const { by = "", names = [], removed = [] } = notice
  const own = people.name
  const text = isolated(shownText(notice.text ?? "", REASON_LENGTH_SHOWN))
  const subject = by === own ? "You" : by === "" ? "Somebody" : people.called(by)
  switch (notice.type) {
    case "joined":
      return `You were added. Members: ${listOf(names, people)}.`
    case "title":
      return `${subject} named the conversation “${isolated(shownText(notice.text ?? "", TITLE_LENGTH_SHOWN))}”.`
    case "members":
      return membersText({ ...notice, by, names, removed, asked: notice.asked ?? [], people })
    case "refreshed":
      return `${subject} renewed ${by === own ? "your" : "their"} keys.`
    case "left":
      if (by === own) return "You left. This device has destroyed its keys of the conversation."
      return `${subject} removed you. This device has destroyed its keys of the conversation, and reads nothing that comes after.`
    case "keyChanged":
      return `${listOf(names, people)} ${notice.code === "accepted" ? "added a device; one of their earlier keys vouches for it" : "speaks with a new key that nobody vouches for"}.`
    case "failed":
      return failedText(notice, people)
    case "displayName":
      return displayNameText(notice)
    case "rejected":
      return `Something that came in was refused and passed over: ${text}.`
    case "halted":
      return `Stopped before a change that brings in ${listOf(names, people)}${text === "" ? "" : `: ${text}`}.`
    case "recovered":
      return `This device had to rejoin (${text}). Messages in between are missing.`
    case "invited":
      return `${subject} invites you. Members: ${listOf(names, people)}.`
    case "declined":
      return `${listOf(names, people)} did not want to come in.`
    case "throttled":
      return `The service asks for patience until ${text}.`
    case "missing":
    case "deferred":
    case "update":
    case "unavailable":
      return sentence(text)
    case "lost":
      return `This device lost the conversation (${text}). A member has to remove you and invite you again.`
  }
}

interface MembersChange {
  readonly by: string
  readonly names: readonly string[]
  readonly removed: readonly string[]
  readonly asked: readonly string[]
  readonly left?: readonly string[]
  readonly rejoined?: readonly string[]
  readonly people: People
}

function membersText({ by, names, removed, asked, left = [], rejoined = [], people }: MembersChange): string {
  const own = people.name
  const somebody = by === "" ? undefined : people.called(by)
  const subject = by === own ? "You" : (somebody ?? "Somebody")
  const added = names.map((name) => (name === own ? "you" : people.called(name)))
  const byUser = by === own ? removed.filter((name) => asked.includes(name)) : []
  // A commit of somebody's device removes, whether its user wanted it or the one who goes did.
  const others = removed.filter((name) => !byUser.includes(name))
  const done = [
    ...(added.length > 0 ? [`added ${list(added)}`] : []),
    ...(byUser.length > 0 ? [`removed ${listOf(byUser, people)}`] : []),
  ]
  const device = by === own ? "your device" : `${somebody ?? "somebody"}’s device`
  return [
    ...(done.length > 0 ? [`${subject} ${done.join(" and ")}.`] : []),
    ...(others.length > 0
      ? [`${listOf(others, people)} ${others.length === 1 ? "is" : "are"} out, by a commit of ${device}.`]
      : []),
    ...(left.length > 0 ? [`${listOf(left, people)} left.`] : []),
    ...(rejoined.length > 0 ? [`${listOf(rejoined, people)} rejoined.`] : []),
  ].join(" ")
}

function failedText({ text, names = [], code }: Notice, people: People): string {
  const who = listOf(names, people) || "Nobody"
  const what = new Map([
    ["create", "The conversation could not be created"],
    ["invite", `${who} could not be added`],
    ["remove", `${who} could not be removed`],
    ["title", "The conversation could not be renamed"],
    ["refresh", "Your keys could not be renewed"],
    ["leave", "Leaving did not work"],
  ])
  return `${what.get(text ?? "") ?? "Something did not work"}: ${reasons.get(code ?? "") ?? "the service refused"}.`
}

const reasons: ReadonlyMap<string, string> = new Map([
  ["UNKNOWN_NAME", "nobody has that name"],
  ["NO_KEY_PACKAGE", "no key to add them with is left"],
  ["KEY_CHANGED", "there is a new key to look at first"],
  ["NOT_A_MEMBER", "you are no member any more"],
  ["LOST", "this device has lost the conversation"],
  ["TOO_LARGE", "it is too large"],
])

/** As it was then, not as it is now: what follows may be yet another. */
function displayNameText({ names: [name = ""] = [], text: after = "", code: before = "" }: Notice): string {
  const shown = (displayName: string) => isolated(personLabel(name, displayName || undefined).text)
  if (after === "") return `${shown(before)} has no display name any more.`
  return `${shown(before)} is called ${shown(after)} from now on.`
}

/** What a screen reader says of an event; `undefined`: nothing. */
export function announcementOf(
  event: ClientEvent,
  { visible, people }: { readonly visible: boolean; readonly people: People },
): string | undefined {
  const { name } = people
  const where = event.conversation === undefined || visible ? "" : ` in ${titleOf(event.conversation, people)}`
  switch (event.type) {
    case "message":
      return `${people.called(event.from)}${where}: ${textOf(event)}`
    case "sent":
      return undefined
    case "members":
      return membersText({ ...event, names: event.added, asked: event.removed, people })
    case "joined":
      return `You were added to ${event.conversation === undefined ? "a conversation" : titleOf(event.conversation, people)}.`
    case "left":
      return event.by === name ? "You left." : `${people.called(event.by)} removed you${where}.`
    case "keyChanged":
      return `Attention: ${people.called(event.name)} speaks with a new key.`
    case "displayName":
      return `Attention: ${personLabel(event.name, event.before).text} is called ${personLabel(event.name, event.after).text} from now on.`
    default:
      return undefined
  }
}

/** People in a sentence. */
export function listOf(names: readonly string[], people: People): string {
  return list(names.map((name) => people.called(name)))
}

/**
 * For the middle of a sentence: text of another writing direction does not carry away what stands beside it. What `bdi`
 * does for an element, U+2068 and U+2069 do here.
 */
export function isolated(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : `\u2068${text}\u2069`
}

/** What somebody has typed, in a sentence. */
export function quoted(text: string): string {
  return `“${isolated(shownText(text, TITLE_LENGTH_SHOWN))}”`
}

/** "alice", "alice and bob", "alice, bob and carol". */
export function list(names: readonly string[]): string {
  if (names.length < 2) return names.join("")
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`
}

export function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/u.test(begun) ? begun : `${begun}.`
}
