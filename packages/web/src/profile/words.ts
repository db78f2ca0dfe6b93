import { ClientError, type Conversation, type PersonLabel, shownText } from "@conclave/client/browser"
import type { FailureReason } from "@conclave/headless/browser"
import { list, words } from "../words/words.js"

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
  const { problems } = words()
  const message = shownText(error instanceof Error ? error.message : String(error), REASON_LENGTH_SHOWN)
  const code = error instanceof ClientError ? error.code : "other"
  const { names = [] } = about
  // Of several people, whom it says; no name has a space or a comma.
  const said = String(error).split(/,? /)
  const meant = names.filter((name) => said.includes(name))
  return problems[code]({ who: list(meant.length > 0 ? meant : names), message })
}

/** Why a message was not sent. */
export function failureText(why: FailureReason): string {
  const { failures } = words()
  if (why.code === "told") return why.message
  if (why.code !== "error") return failures[why.code]
  const error = why.error === undefined ? new Error(why.message) : new ClientError(why.error, why.message)
  return failures.because(problem(error))
}

type Titled = Pick<Conversation, "title" | "members" | "status" | "invitedBy">

export function titleOf({ title, members, status, invitedBy }: Titled, people: People): string {
  // Nothing that strangers have written is shown before it has been accepted.
  if (status === "invited") return words().list.invitationBy(personOr(invitedBy, words().person.somebody, people))
  const shown = shownTitle(title).trim()
  if (shown !== "") return isolated(shown)
  const others = members.filter((name) => name !== people.name)
  return others.length === 0 ? words().list.untitled : listOf(others, people)
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

/** A person in a sentence, with the mark where there is one. */
export function labelText({ text, mark }: PersonLabel): string {
  if (mark === undefined) return isolated(text)
  return isolated(`${text.slice(0, -`[${mark}]`.length)}[${words().person.marks[mark]}]`)
}

/** People in a sentence; of many the first. */
export function listOf(names: readonly string[], people: People): string {
  const shown = names.length > PEOPLE_SHOWN + 1 ? names.slice(0, PEOPLE_SHOWN) : names
  const others = names.length - shown.length
  return list([...shown.map((name) => people.called(name)), ...(others > 0 ? [words().person.others(others)] : [])])
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
  return words().person.quoted(isolated(shownText(text, TITLE_LENGTH_SHOWN)))
}
