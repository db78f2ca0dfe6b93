import { type Codec, type Enumeration, enumeration, opaque, type TypeOf, union, utf8 } from "@conclave/codec"
import type { Simplify, UnionToIntersection } from "./types.js"

/**
 * One kind of content of an MLS application message. A new kind is a new row of {@link contentKinds}: how it is written,
 * what an application sees of it, and what is said of it where it cannot be drawn follow from the row.
 */
export interface ContentKind<F extends ContentFields> {
  /** On the wire, 1 to 255; never used for another kind. */
  readonly number: number
  readonly fields: F
  /** A message is part of the history; anything else changes the conversation. */
  readonly isMessage: boolean
  /** What stands where the content would: the text itself, or a few words about it. */
  words(content: ValueOf<F>): string
}

export type ContentFields = Readonly<Record<string, Codec<any>>>
type ValueOf<F extends ContentFields> = Simplify<{ readonly [K in keyof F]: TypeOf<F[K]> }>
interface AnyContentKind {
  readonly number: number
  readonly fields: ContentFields
  readonly isMessage: boolean
  words(content: any): string
}
type ContentKinds = Readonly<Record<string, AnyContentKind>>

/** A row; `M` is kept as a literal, so that {@link ContentOf} is made of messages alone. */
export function contentKind<const F extends ContentFields, const M extends boolean>(
  kind: ContentKind<F> & { readonly isMessage: M },
): ContentKind<F> & { readonly isMessage: M } {
  return kind
}

export const contentKinds = {
  text: contentKind({
    number: 1,
    fields: { text: utf8 },
    isMessage: true,
    words: ({ text }) => text,
  }),
  bytes: contentKind({
    number: 2,
    fields: { bytes: opaque },
    isMessage: true,
    words: ({ bytes }) => `${bytes.length} bytes that are not text`,
  }),
  title: contentKind({
    number: 3,
    fields: { title: utf8 },
    isMessage: false,
    words: ({ title }) => title,
  }),
}

/** The body of a payload, discriminated by `type`. */
export type BodyOf<K extends ContentKinds> = {
  [T in keyof K & string]: Simplify<{ readonly type: T } & ValueOf<K[T]["fields"]>>
}[keyof K & string]

type MessageFields<K extends ContentKinds> = {
  [T in keyof K]: K[T]["isMessage"] extends true
    ? { readonly [P in keyof ValueOf<K[T]["fields"]>]?: ValueOf<K[T]["fields"]>[P] }
    : never
}[keyof K]
/** What an application sees of a message: the fields of one kind, and none of the others. */
export type ContentOf<K extends ContentKinds> = Simplify<UnionToIntersection<MessageFields<K>>>

/** What follows from a table of content kinds. */
export interface ContentTable<K extends ContentKinds> {
  readonly body: Codec<BodyOf<K>>
  /** `undefined` for a body that is not a message. */
  contentOf(body: BodyOf<K>): ContentOf<K> | undefined
  words(content: ContentOf<K>): string
}

export function contentTable<const K extends ContentKinds>(kinds: K): ContentTable<K> {
  const numbers = Object.fromEntries(Object.entries(kinds).map(([type, { number }]) => [type, number]))
  const cases = Object.fromEntries(Object.entries(kinds).map(([type, { fields }]) => [type, fields]))
  const tag: Enumeration<string> = enumeration("PayloadKind", 1, numbers)
  const messages = Object.values(kinds).filter(({ isMessage }) => isMessage)
  // The compiler cannot follow a loop over the rows: the types above say what the loops below do.
  return {
    body: union("PayloadBody", "kind", tag, cases) as Codec<any>,
    contentOf({ type, ...content }: any) {
      return kinds[type]?.isMessage === true ? content : undefined
    },
    words(content: any) {
      const kind = messages.find(({ fields }) => Object.keys(fields).every((name) => content[name] !== undefined))
      return kind?.words(content) ?? ""
    },
  }
}

const table = contentTable(contentKinds)

export const PayloadBody = table.body
export type PayloadBody = BodyOf<typeof contentKinds>

/** The content of a message: exactly one of `text` and `bytes` is there. */
export interface Content extends ContentOf<typeof contentKinds> {}

/** `undefined` for a body that is not a message. */
export function contentOf(body: PayloadBody): Content | undefined {
  return table.contentOf(body)
}

/** The text of a message, or a few words about content that is not text. */
export function contentWords(content: Content): string {
  return table.words(content)
}
