import { type Codec, type Enumeration, enumeration, union } from "@conclave/codec"
import {
  type Fields,
  type FindConversation,
  forgotten,
  type NewFields,
  type ShownFields,
  type StoredFields,
} from "./fields.js"
import type { EventReader } from "./reader.js"
import type { Simplify } from "./types.js"

/** From news that can be missed to what a person has to see and decide about. */
export type Severity = "quiet" | "notice" | "warning" | "alarm"

/** Whose attention it is, and whether the event is about a conversation. */
export type Attention = Pick<EventReader, "name" | "conversation">

/** Everything about one kind of event. */
export interface EventKind<F extends Fields> {
  /** On disk, 1 to 255; never used for another kind. */
  readonly number: number
  /** In the order in which they are stored. */
  readonly fields: F
  readonly severity: Severity | ((event: Told<F>, reader: Attention) => Severity)
  /** What happened, from the reader's point of view: sentences without their full stops, the most important one first. */
  words(event: Told<F>, reader: EventReader): readonly string[]
}

/** What words are made of; the conversation is in `EventReader.conversation`. */
export type Told<F extends Fields> = Omit<ShownFields<F>, "conversation">

/** Another form in which events of a kind are stored. */
export interface EventForm<F extends Fields, T extends string> {
  readonly number: number
  readonly fields: F
  readonly shownAs: T
}

/** A record that says where the event is stored. */
export interface EventReference<F extends Fields> {
  readonly number: number
  readonly fields: F
}

interface AnyRow {
  readonly number: number
  readonly fields: Fields
}
interface AnyKind extends AnyRow {
  readonly severity: any
  words(event: any, reader: EventReader): readonly string[]
}
type Rows = Readonly<Record<string, AnyRow>>
type Kinds = Readonly<Record<string, AnyKind>>
type Forms = Readonly<Record<string, AnyRow & { readonly shownAs: string }>>

export function eventKind<const F extends Fields>(kind: EventKind<F>): EventKind<F> {
  return kind
}

export function eventForm<const F extends Fields, const T extends string>(form: EventForm<F, T>): EventForm<F, T> {
  return form
}

/** What is stored of events, discriminated by `type`. */
export type StoredOf<R extends Rows> = {
  [T in keyof R & string]: Simplify<{ readonly type: T } & StoredFields<R[T]["fields"]>>
}[keyof R & string]
/** What the writer of events is given. */
export type NewOf<R extends Rows> = {
  [T in keyof R & string]: Simplify<{ readonly type: T } & NewFields<R[T]["fields"]>>
}[keyof R & string]
/** What an application sees. */
export type ShownOf<K extends Rows> = {
  [T in keyof K & string]: Simplify<{ readonly type: T } & ShownFields<K[T]["fields"]>>
}[keyof K & string]
type ShownForms<F extends Forms> = {
  [T in keyof F & string]: Simplify<{ readonly type: F[T]["shownAs"] } & ShownFields<F[T]["fields"]>>
}[keyof F & string]
/** What words are made of: an event without its conversation. */
export type ToldOf<K extends Rows> = {
  [T in keyof K & string]: Simplify<{ readonly type: T } & Told<K[T]["fields"]>>
}[keyof K & string]

/** What follows from a table of event kinds. */
export interface EventTable<K extends Kinds, F extends Forms, R extends Rows> {
  readonly stored: Codec<StoredOf<K> | StoredOf<F> | StoredOf<R>>
  /** `undefined` for an event of a conversation that `find` does not know, or of a payload that is not a message. */
  show(stored: StoredOf<K> | StoredOf<F>, find: FindConversation): ShownOf<K> | ShownForms<F> | undefined
  words(event: ToldOf<K>, reader: EventReader): readonly string[]
  severity(event: ToldOf<K>, reader: Attention): Severity
}

export function eventTable<const K extends Kinds, const F extends Forms, const R extends Rows>(
  kinds: K,
  { forms, references }: { readonly forms: F; readonly references: R },
): EventTable<K, F, R> {
  const shown: Rows = { ...kinds, ...forms }
  const rows = Object.entries<AnyRow>({ ...shown, ...references })
  const numbers = Object.fromEntries(rows.map(([type, { number }]) => [type, number]))
  if (new Set(Object.values(numbers)).size < rows.length) throw new TypeError("two kinds of event have one number")
  const tag: Enumeration<string> = enumeration("EventKind", 1, numbers)
  const cases = Object.fromEntries(rows.map(([type, { fields }]) => [type, codecsOf(fields)]))
  // The compiler cannot follow a loop over the rows: the types of EventTable say what the loops do.
  return {
    stored: union("StoredEvent", "kind", tag, cases) as Codec<any>,
    show: (stored: any, find) =>
      show(shown[stored.type]!.fields, forms[stored.type]?.shownAs ?? stored.type, stored, find),
    words: (event, reader) => kinds[event.type]!.words(event, reader),
    severity(event, reader) {
      const { severity } = kinds[event.type]!
      return typeof severity === "function" ? severity(event, reader) : severity
    },
  }
}

function codecsOf(fields: Fields): Readonly<Record<string, Codec<any>>> {
  return Object.fromEntries(Object.entries(fields).map(([name, { codec }]) => [name, codec]))
}

function show(fields: Fields, type: string, stored: any, find: FindConversation): any {
  const event: Record<string, unknown> = { type }
  for (const [name, field] of Object.entries(fields)) {
    const value = "spread" in field ? field.spread(stored[name]) : field.show(stored[name], find)
    if (value === forgotten) return undefined
    Object.assign(event, "spread" in field ? value : { [name]: value })
  }
  return event
}
