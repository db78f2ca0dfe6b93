import type { Content } from "./contents.js"

/**
 * Who reads what happened, and how what a sentence names is shown there: on a terminal, on a page. Everything that others
 * have chosen (names, titles, reasons) goes through it into a sentence.
 */
export interface EventReader {
  /** The reader's own name. */
  readonly name: string
  /** The event's conversation in a sentence; `undefined` for an event that is about none. */
  readonly conversation: string | undefined
  /** Of a list of people, how many are named before the others are counted. */
  readonly peopleMax: number
  /** A person, with the display name of today. */
  person(name: string): string
  /** A person, with the display name of another time. */
  personAs(name: string, displayName: string | undefined): string
  /** A title in quotation marks. */
  title(title: string): string
  reason(reason: string): string
  time(at: Date): string
  /** The content of a message; see `contentWords`. */
  content(content: Content): string
  /** How to do here what the sentence before it advises, in parentheses after a space; or nothing. */
  how(advice: Advice): string
}

export type Advice =
  | { readonly type: "compareSafetyCodes" }
  | { readonly type: "approveKey"; readonly name: string }
  | { readonly type: "refresh" }
  | { readonly type: "restart"; readonly without: string }

/** A person as the subject of a sentence. */
export function subject(name: string, reader: EventReader): string {
  if (name === reader.name) return "You"
  return name === "" ? "Somebody" : reader.person(name)
}

/** People as the subject of a sentence; the reader comes first. */
export function subjects(names: readonly string[], reader: EventReader): string {
  const listed = people(names, reader)
  return names.length === 0 ? "Nobody" : names.includes(reader.name) ? `Y${listed.slice(1)}` : listed
}

/** People within a sentence; the reader comes first, as "you". */
export function people(names: readonly string[], reader: EventReader): string {
  const others = names.filter((name) => name !== reader.name)
  // One more is named sooner than counted.
  const named = others.length > reader.peopleMax + 1 ? others.slice(0, reader.peopleMax) : others
  const shown = named.map((name) => (name === "" ? "somebody" : reader.person(name)))
  const more = others.length - named.length
  return list([...(others.length < names.length ? ["you"] : []), ...shown, ...(more > 0 ? [`${more} others`] : [])])
}

/** "a", "a and b", "a, b and c". */
export function list(items: readonly string[]): string {
  if (items.length < 2) return items.join("")
  return `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`
}

/** The event's conversation, where the sentence needs one. */
export function theConversation({ conversation }: EventReader): string {
  return conversation ?? "a conversation"
}

/** Where it happened; nothing for an event that is about no conversation. */
export function within({ conversation }: EventReader): string {
  return conversation === undefined ? "" : ` in ${conversation}`
}

/** Why; nothing where that is not known. */
export function because(reason: string, reader: EventReader, label = "Reason"): readonly string[] {
  return reason === "" ? [] : [`${label}: ${reader.reason(reason)}`]
}
