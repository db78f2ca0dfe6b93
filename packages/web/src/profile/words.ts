import { ClientError, type ClientEvent, type Conversation } from "@conclave/client/browser"
import type { Notice } from "./memory.js"
import { textOf } from "./thread.js"

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

export function titleOf({ title, members }: Pick<Conversation, "title" | "members">, own: string): string {
  if (title !== "") return title
  const others = members.filter((name) => name !== own)
  return others.length === 0 ? "Untitled" : list(others)
}

/** A notice as a sentence, from the point of view of `own`. */
export function noticeText(notice: Notice, own: string): string {
  const { by = "", names = [], removed = [], text = "" } = notice
  const subject = by === own ? "You" : by || "Somebody"
  switch (notice.type) {
    case "joined":
      return `You were added. Members: ${list(names)}.`
    case "title":
      return `${subject} named the conversation “${text}”.`
    case "members":
      return membersText({ by, names, removed, asked: notice.asked ?? [], own })
    case "refreshed":
      return `${subject} renewed ${by === own ? "your" : "their"} keys.`
    case "left":
      if (by === own) return "You left. This device has destroyed its keys of the conversation."
      return `${subject} removed you. This device has destroyed its keys of the conversation, and reads nothing that comes after.`
    case "keyChanged":
      return `${list(names)} ${notice.code === "accepted" ? "added a device; one of their earlier keys vouches for it" : "speaks with a new key that nobody vouches for"}.`
    case "failed":
      return failedText(notice)
    case "rejected":
      return `Something that came in was refused and passed over: ${text}.`
    case "halted":
      return `Stopped before a change that brings in ${list(names)}${text === "" ? "" : `: ${text}`}.`
    case "recovered":
      return `This device had to rejoin (${text}). Messages in between are missing.`
    case "invited":
      return `${subject} invites you. Members: ${list(names)}.`
    case "declined":
      return `${list(names)} did not want to come in.`
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
  readonly own: string
}

function membersText({ by, names, removed, asked, own }: MembersChange): string {
  const subject = by === own ? "You" : by || "Somebody"
  const added = names.map((name) => (name === own ? "you" : name))
  const byUser = by === own ? removed.filter((name) => asked.includes(name)) : []
  // A commit of somebody's device removes, whether its user wanted it or the one who goes did.
  const others = removed.filter((name) => !byUser.includes(name))
  const done = [
    ...(added.length > 0 ? [`added ${list(added)}`] : []),
    ...(byUser.length > 0 ? [`removed ${list(byUser)}`] : []),
  ]
  const device = by === own ? "your device" : `${by || "somebody"}’s device`
  return [
    ...(done.length > 0 ? [`${subject} ${done.join(" and ")}.`] : []),
    ...(others.length > 0
      ? [`${list(others)} ${others.length === 1 ? "is" : "are"} out, by a commit of ${device}.`]
      : []),
  ].join(" ")
}

function failedText({ text, names = [], code }: Notice): string {
  const who = list(names)
  const what: Record<string, string> = {
    create: "The conversation could not be created",
    invite: `${who || "Nobody"} could not be added`,
    remove: `${who || "Nobody"} could not be removed`,
    title: "The conversation could not be renamed",
    refresh: "Your keys could not be renewed",
    leave: "Leaving did not work",
  }
  return `${what[text ?? ""] ?? "Something did not work"}: ${reasons[code ?? ""] ?? "the service refused"}.`
}

const reasons: Readonly<Record<string, string>> = {
  UNKNOWN_NAME: "nobody has that name",
  NO_KEY_PACKAGE: "no key to add them with is left",
  KEY_CHANGED: "there is a new key to look at first",
  NOT_A_MEMBER: "you are no member any more",
  LOST: "this device has lost the conversation",
  TOO_LARGE: "it is too large",
}

/** What a screen reader says of an event; `undefined`: nothing. */
export function announcementOf(
  event: ClientEvent,
  { visible, name }: { readonly visible: boolean; readonly name: string },
): string | undefined {
  const where = event.conversation === undefined || visible ? "" : ` in ${titleOf(event.conversation, name)}`
  switch (event.type) {
    case "message":
      return `${event.from}${where}: ${textOf(event)}`
    case "sent":
      return undefined
    case "members":
      return membersText({ by: event.by, names: event.added, removed: event.removed, asked: event.removed, own: name })
    case "joined":
      return `You were added to ${event.conversation === undefined ? "a conversation" : titleOf(event.conversation, name)}.`
    case "left":
      return event.by === name ? "You left." : `${event.by} removed you${where}.`
    case "keyChanged":
      return `Attention: ${event.name} speaks with a new key.`
    default:
      return undefined
  }
}

/** "alice", "alice and bob", "alice, bob and carol". */
export function list(names: readonly string[]): string {
  if (names.length < 2) return names.join("")
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/u.test(begun) ? begun : `${begun}.`
}
