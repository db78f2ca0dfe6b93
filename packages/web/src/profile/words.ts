import { ClientError, type Conversation, type PersonLabel, shownText } from "@conclave/client/browser"
import type { FailureReason } from "@conclave/headless/browser"

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
const PEOPLE_SHOWN = 8

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
      return "You are no longer a member of this conversation."
    case "TOO_LARGE":
      return "That is too long: a message has at most 64 KiB."
    case "REFUSED":
      return `The service refused: ${error.message}.`
    case "LOST":
      return "This device has lost the conversation. A member has to remove you and invite you again."
    case "CONTINUED":
      return "This conversation goes on in a new group. You find it in the list."
    case "UNAVAILABLE":
      return `${sentence(error.message)} Try again in a moment.`
    case "UPDATE":
      return sentence(error.message)
    case "STORE_FAILED":
      return `This browser did not store it: ${error.message}. Make room, or allow this page to keep data.`
    case "STORE_LOCKED":
      return "Another tab is using your keys."
    case "WRONG_PROFILE":
      return sentence(error.message)
    case "REVOKED":
      return "Another device of your name has revoked this one. What is here stays, and nothing new comes."
    case "CLOSED":
      return "The page has let go of its profile. Reload it."
  }
}

/** Why a message was not sent. */
export function failureText(why: FailureReason): string {
  switch (why.code) {
    case "left":
      return "Not sent: you are no longer a member."
    case "lost":
      return "Not sent: this device has lost the conversation."
    case "continued":
      return "Not sent: the conversation goes on in a new group."
    case "refused":
      return "Not sent: the service refused it."
    case "error":
      return `Not sent: ${problem(why.error === undefined ? new Error(why.message) : new ClientError(why.error, why.message))}`
    case "told":
      return why.message
  }
}

type Titled = Pick<Conversation, "title" | "members" | "status" | "invitedBy">

export function titleOf({ title, members, status, invitedBy }: Titled, people: People): string {
  // Nothing that strangers have written is shown before it has been accepted.
  if (status === "invited") return `Invitation by ${personOr(invitedBy, "somebody", people)}`
  const shown = shownTitle(title).trim()
  if (shown !== "") return isolated(shown)
  const others = members.filter((name) => name !== people.name)
  return others.length === 0 ? "Untitled" : listOf(others, people)
}

export function shownTitle(title: string): string {
  return shownText(title, TITLE_LENGTH_SHOWN)
}

/** Why, as the client or the service says it. */
export function shownReason(reason: string): string {
  return isolated(shownText(reason, REASON_LENGTH_SHOWN))
}

/** A person in a sentence, or what to say where nobody is named. */
export function personOr(name: string | undefined, otherwise: string, people: People): string {
  return name === undefined || name === "" ? otherwise : people.called(name)
}

/** People in a sentence; of many the first. */
export function listOf(names: readonly string[], people: People): string {
  const shown = names.length > PEOPLE_SHOWN + 1 ? names.slice(0, PEOPLE_SHOWN) : names
  const others = names.length - shown.length
  return list([...shown.map((name) => people.called(name)), ...(others > 0 ? [`${others} others`] : [])])
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
