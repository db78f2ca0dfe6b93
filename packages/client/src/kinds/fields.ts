import {
  alias,
  boolean,
  type Codec,
  opaque,
  optional,
  struct,
  type TypeOf,
  uint32,
  uint64,
  utf8,
  vector,
} from "@conclave/codec"
import { copyBytes } from "../bytes.js"
import { decodePayload, messageOf } from "../conversation/payload.js"
import type { ContinuedConversation, Conversation } from "../conversation.js"
import type { Content } from "./contents.js"
import type { Simplify, UnionToIntersection } from "./types.js"

/** One field of an event: how it is stored, and what the application sees of it, under the same name. */
export interface Field<Stored, Shown> {
  readonly codec: Codec<Stored>
  /** Copies what could be changed by the application: an event in memory is shown more than once. */
  show(stored: Stored, find: FindConversation): Shown
}

/** A field that the application sees as several properties. */
export interface SpreadField<Stored, Shown> {
  readonly codec: Codec<Stored>
  spread(stored: Stored): Shown | typeof forgotten
}

/** A field that the writer of events fills in: a new event does not have it. */
export interface CountedField extends Field<number, number> {
  readonly isCounted: true
}

/** Returns `undefined` for a conversation that this device has forgotten. */
export type FindConversation = (id: Uint8Array) => Conversation | undefined

/** What a field shows of what this device has forgotten, or does not know: nobody sees the event. */
export const forgotten = Symbol("forgotten")

export type Fields = Readonly<Record<string, Field<any, any> | SpreadField<any, any>>>
type StoredBy<F> = F extends { readonly codec: Codec<infer T> } ? T : never
type ShownBy<F> = F extends Field<any, infer T> ? Exclude<T, typeof forgotten> : never
type SpreadBy<F> = F extends SpreadField<any, infer T> ? Exclude<T, typeof forgotten> : never
type Plain<F extends Fields> = {
  readonly [K in keyof F as F[K] extends SpreadField<any, any> ? never : K]: ShownBy<F[K]>
}
type Spread<F extends Fields> = [SpreadBy<F[keyof F]>] extends [never]
  ? unknown
  : UnionToIntersection<SpreadBy<F[keyof F]>>

/** An event's fields as they are stored. */
export type StoredFields<F extends Fields> = { readonly [K in keyof F]: StoredBy<F[K]> }
/** As they are given to the writer. */
export type NewFields<F extends Fields> = {
  readonly [K in keyof F as F[K] extends CountedField ? never : K]: StoredBy<F[K]>
}
/** As an application sees them. */
export type ShownFields<F extends Fields> = Simplify<Plain<F> & Spread<F>>

function asStored<T>(codec: Codec<T>): Field<T, T> {
  return { codec, show: (stored) => stored }
}

const ConversationId = alias("ConversationId", opaque)

export const conversation: Field<Uint8Array, Conversation | typeof forgotten> = {
  codec: ConversationId,
  show: (id, find) => find(id) ?? forgotten,
}

export const someConversation: Field<Uint8Array | undefined, Conversation | undefined | typeof forgotten> = {
  codec: optional(ConversationId),
  show: (id, find) => (id === undefined ? undefined : (find(id) ?? forgotten)),
}

const StoredClaim = struct("StoredClaim", {
  conversation: ConversationId,
  by: utf8,
  added: vector(utf8),
  removed: vector(utf8),
  known: boolean,
})
/** {@link ContinuedConversation} as it is stored. */
export type StoredClaim = TypeOf<typeof StoredClaim>

/** What an invitation continues, as this device saw it when it came; `undefined` also for what has been forgotten. */
export const continued: Field<StoredClaim | undefined, ContinuedConversation | undefined> = {
  codec: optional(StoredClaim),
  show(stored, find) {
    const conversation = stored && find(stored.conversation)
    return conversation && { ...stored, conversation, added: [...stored.added], removed: [...stored.removed] }
  },
}
/** Of an event of a version that knew nothing of it. */
export const notContinued: Field<undefined, undefined> = {
  codec: { syntax: "struct {}", write: () => {}, read: () => undefined },
  show: () => undefined,
}

/** Of an event that is about no conversation. */
export const noConversation: Field<undefined, undefined> = {
  codec: {
    syntax: "optional<ConversationId> %",
    write: (writer) => writer.uint8(0),
    read(reader) {
      if (reader.uint8() !== 0) throw reader.error("a conversation where there is none")
      return undefined
    },
  },
  show: () => undefined,
}

export const text = asStored(utf8)
export const someText = asStored(optional(utf8))
export const flag = asStored(boolean)
export const texts: Field<readonly string[], readonly string[]> = { codec: vector(utf8), show: (list) => [...list] }
export const bytes: Field<Uint8Array, Uint8Array> = { codec: opaque, show: copyBytes }
export const count: CountedField = { ...asStored(uint32), isCounted: true }

/** Unix time in milliseconds. */
export const time: Field<bigint, Date> = { codec: uint64, show: (at) => new Date(Number(at)) }

/** A place in a conversation's log; events of versions before 0.2 lack it. */
export const place: Field<bigint, number | undefined> = { codec: uint64, show: Number }

/** One of a few words, stored as the word itself. */
export function word<const W extends string>(words: readonly W[]): Field<W, W> {
  return asStored(wordCodec(words))
}

export function wordList<const W extends string>(words: readonly W[]): Field<readonly W[], readonly W[]> {
  return { codec: vector(wordCodec(words)), show: (list) => [...list] }
}

function wordCodec<W extends string>(words: readonly W[]): Codec<W> {
  return {
    syntax: utf8.syntax,
    write: utf8.write,
    read(reader) {
      const read = utf8.read(reader)
      const known = words.find((it) => it === read)
      if (known === undefined) throw reader.error("a word that is not known here")
      return known
    },
  }
}

export interface ShownMessage extends Content {
  /**
   * 32 hexadecimal digits, chosen by the sender: a member can repeat the id of another message. Use `seq` to tell messages
   * apart.
   */
  readonly messageId: string
  /** By the sender's clock: not to be trusted more than the sender. */
  readonly sentAt: Date
}

/** The payload of a message. */
export const payload: SpreadField<Uint8Array, ShownMessage> = { codec: opaque, spread: shownMessage }

/** The same where its place in the log was not stored. */
export const payloadWithoutSeq: SpreadField<Uint8Array, ShownMessage & { readonly seq: undefined }> = {
  codec: opaque,
  spread(stored) {
    const message = shownMessage(stored)
    return message === forgotten ? forgotten : { ...message, seq: undefined }
  },
}

function shownMessage(stored: Uint8Array): ShownMessage | typeof forgotten {
  return messageOf(decodePayload(stored)) ?? forgotten
}
