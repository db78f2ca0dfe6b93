import { type Codec, type Enumeration, enumeration, opaque, type TypeOf, union, utf8 } from "@conclave/codec"
import { copyBytes } from "../bytes.js"
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
  /** What JSON has of it, by name. Default: its fields, with bytes in base64. */
  json?(content: ValueOf<F>): Readonly<Record<string, unknown>>
}

export type ContentFields = Readonly<Record<string, Codec<any>>>
type ValueOf<F extends ContentFields> = Simplify<{ readonly [K in keyof F]: TypeOf<F[K]> }>
interface AnyContentKind {
  readonly number: number
  readonly fields: ContentFields
  readonly isMessage: boolean
  words(content: any): string
  json?(content: any): Readonly<Record<string, unknown>>
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
    json: ({ bytes }) => ({ base64: base64(bytes) }),
  }),
  title: contentKind({
    number: 3,
    fields: { title: utf8 },
    isMessage: false,
    words: ({ title }) => title,
  }),
}

/** Kinds of content that are not part of the history: each has an effect on the conversation. */
export type EffectKind = {
  [T in keyof typeof contentKinds]: (typeof contentKinds)[T]["isMessage"] extends true ? never : T
}[keyof typeof contentKinds]

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

/** What an application may send: all fields of one kind. */
export type SendableOf<K extends ContentKinds> = {
  [T in keyof K]: K[T]["isMessage"] extends true ? ValueOf<K[T]["fields"]> : never
}[keyof K]

/** What follows from a table of content kinds. */
export interface ContentTable<K extends ContentKinds> {
  readonly body: Codec<BodyOf<K>>
  /** `undefined` for a body that is not a message. */
  contentOf(body: BodyOf<K>): ContentOf<K> | undefined
  words(content: ContentOf<K>): string
  json(content: ContentOf<K>): Readonly<Record<string, unknown>>
  /** Bytes are copied. @throws TypeError for what is not exactly the fields of one kind of message. */
  bodyOf(content: SendableOf<K>): BodyOf<K>
}

export function contentTable<const K extends ContentKinds>(kinds: K): ContentTable<K> {
  const numbers = Object.fromEntries(Object.entries(kinds).map(([type, { number }]) => [type, number]))
  const cases = Object.fromEntries(Object.entries(kinds).map(([type, { fields }]) => [type, fields]))
  const tag: Enumeration<string> = enumeration("PayloadKind", 1, numbers)
  // A kind may have all fields of another one and more.
  const messages = Object.values(kinds)
    .filter(({ isMessage }) => isMessage)
    .sort((a, b) => Object.keys(b.fields).length - Object.keys(a.fields).length)
  const kindOf = (content: any) =>
    messages.find(({ fields }) => Object.keys(fields).every((name) => content[name] !== undefined))
  // The compiler cannot follow a loop over the rows: the types above say what the loops below do.
  return {
    body: union("PayloadBody", "kind", tag, cases) as Codec<any>,
    contentOf({ type, ...content }: any) {
      return kinds[type]?.isMessage === true ? content : undefined
    },
    words: (content: any) => kindOf(content)?.words(content) ?? "",
    json(content: any) {
      const kind = kindOf(content)
      if (kind === undefined) return {}
      if (kind.json) return kind.json(content)
      const plain = (value: unknown) => (value instanceof Uint8Array ? base64(value) : value)
      return Object.fromEntries(Object.keys(kind.fields).map((name) => [name, plain(content[name])]))
    },
    bodyOf(content: any): any {
      if (typeof content !== "object" || content === null) throw new TypeError(notContent(content))
      const names = Object.keys(content).sort().join()
      const kind = messages.find(({ fields }) => Object.keys(fields).sort().join() === names)
      if (kind === undefined) {
        const known = messages.map(({ fields }) => `{ ${Object.keys(fields).join(", ")} }`).join(" or ")
        const given = names === "" ? "without fields" : `with the fields ${names}`
        throw new TypeError(`no message is an object ${given}: give a string, bytes, or ${known}`)
      }
      const type = Object.keys(kinds).find((it) => kinds[it] === kind)!
      const copied = Object.entries(content).map(([name, it]) => [name, it instanceof Uint8Array ? copyBytes(it) : it])
      return { type, ...Object.fromEntries(copied) }
    },
  }
}

const notContent = (value: unknown) => {
  const what = value === null ? "null" : typeof value === "undefined" ? "undefined" : `a ${typeof value}`
  return `a message is a string, bytes (a Uint8Array), or an object with the fields of its kind, not ${what}`
}

/** RFC 4648 §4. Written for every JavaScript runtime: `Uint8Array.toBase64` is not in all of them. */
function base64(bytes: Uint8Array): string {
  let binary = ""
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
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

/** What JSON has of a message: the fields of its kind, with bytes in base64; `bytes` itself is named `base64`. */
export function contentJson(content: Content): Readonly<Record<string, unknown>> {
  return table.json(content)
}

export type Sendable = SendableOf<typeof contentKinds>

/** The body of a message; a string is a text, and bytes are bytes. @throws TypeError as `ContentTable.bodyOf` does */
export function bodyOf(content: string | Uint8Array | Sendable): PayloadBody {
  if (typeof content === "string") return table.bodyOf({ text: content })
  return table.bodyOf(content instanceof Uint8Array ? { bytes: content } : content)
}

/** Bytes of a body's texts and bytes, all together. */
export function contentSize({ type: _, ...content }: PayloadBody): number {
  const sizes = Object.values<unknown>(content).map((it) =>
    typeof it === "string" ? new TextEncoder().encode(it).length : it instanceof Uint8Array ? it.length : 0,
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
