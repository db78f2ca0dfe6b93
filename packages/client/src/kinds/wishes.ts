import {
  type Codec,
  type Enumeration,
  enumeration,
  opaque,
  optional,
  struct,
  type TypeOf,
  uint64,
  union,
  utf8,
  vector,
} from "@conclave/codec"
import { type EventReader, subjects } from "./reader.js"
import type { Simplify } from "./types.js"

/** A request to append, as it is sent, and sent again: byte for byte, unless it was refused as stale. */
export const Outgoing = struct("Outgoing", { epoch: uint64, body: opaque, request: opaque })
export type Outgoing = TypeOf<typeof Outgoing>

/** A key package that was claimed for an invitation; kept over lost races, as nobody else can get it. */
const Claimed = struct("Claimed", { name: utf8, deviceId: opaque, signatureKey: opaque, keyPackage: opaque })
export type Claimed = TypeOf<typeof Claimed>

/** What is said of a call of the application whose wish does not come true, or waits. */
interface WishWords {
  /** A sentence without its full stop. */
  failed(names: readonly string[], reader: EventReader): string
  /** What the service has not taken. */
  readonly waiting: string
}

interface WishKind<F extends Fields, C extends Calls> {
  /** On disk, 1 to 255; never used for another kind. */
  readonly number: number
  readonly fields: F
  /** Several that are next to each other and are carried out by a commit share it. */
  readonly by: "creation" | "message" | "proposal" | "commit"
  /** The calls that make such a wish. */
  readonly calls: C
}

type Fields = Readonly<Record<string, Codec<any>>>
type Calls = Readonly<Record<string, WishWords>>

function wishKind<const F extends Fields, const C extends Calls, const B extends WishKind<F, C>["by"]>(
  kind: WishKind<F, C> & { readonly by: B },
): WishKind<F, C> & { readonly by: B } {
  return kind
}

/**
 * Every kind of wish, each declared once: its number and fields on disk, what carries it out, and what is said of it. A new
 * kind is a new row, and the place that carries it out.
 */
export const wishKinds = {
  create: wishKind({
    number: 1,
    fields: { request: opaque },
    by: "creation",
    calls: { create: { failed: () => "The conversation could not be created", waiting: "the new conversation" } },
  }),
  /** `payload` is a Payload; `outgoing` its ciphertext, once there is one; `acceptedSeq` the place that it was given. */
  message: wishKind({
    number: 2,
    fields: { payload: opaque, outgoing: optional(Outgoing), acceptedSeq: optional(uint64) },
    by: "message",
    calls: {
      send: { failed: () => "A message could not be sent", waiting: "a message" },
      title: { failed: () => "The conversation could not be renamed", waiting: "the new title" },
    },
  }),
  invite: wishKind({
    number: 3,
    fields: { names: vector(utf8), claimed: vector(Claimed) },
    by: "commit",
    calls: {
      invite: {
        failed: (names, reader) => `${subjects(names, reader)} could not be added`,
        waiting: "your invitation",
      },
    },
  }),
  remove: wishKind({
    number: 4,
    fields: { names: vector(utf8) },
    by: "commit",
    calls: {
      remove: { failed: (names, reader) => `${subjects(names, reader)} could not be removed`, waiting: "a removal" },
    },
  }),
  /** Takes devices out and in again; `claimed` as in an invitation. */
  reinvite: wishKind({
    number: 7,
    fields: { names: vector(utf8), claimed: vector(Claimed) },
    by: "commit",
    calls: {
      reinvite: {
        failed: (names, reader) => `${subjects(names, reader)} could not be invited again`,
        waiting: "your new invitation",
      },
    },
  }),
  refresh: wishKind({
    number: 5,
    fields: {},
    by: "commit",
    calls: { refresh: { failed: () => "Your keys could not be renewed", waiting: "your new keys" } },
  }),
  leave: wishKind({
    number: 6,
    fields: { outgoing: optional(Outgoing), acceptedSeq: optional(uint64) },
    by: "proposal",
    calls: { leave: { failed: () => "You could not leave", waiting: "your request to leave" } },
  }),
}

type Kinds = typeof wishKinds
/** A wish as it is stored, discriminated by `type`. */
export type Wish = {
  [T in keyof Kinds]: Simplify<
    { readonly type: T } & { readonly [F in keyof Kinds[T]["fields"]]: TypeOf<Kinds[T]["fields"][F]> }
  >
}[keyof Kinds]
export type WishOf<K extends Wish["type"]> = Extract<Wish, { readonly type: K }>
/** Wishes that are carried out in this way. */
export type WishBy<B extends Kinds[keyof Kinds]["by"]> = {
  [T in keyof Kinds]: Kinds[T]["by"] extends B ? WishOf<T> : never
}[keyof Kinds]

type CallsOf<K> = K extends { readonly calls: infer C } ? keyof C & string : never
/** What an application can wish for in a conversation. */
export type WishName = CallsOf<Kinds[keyof Kinds]>

const rows = Object.entries(wishKinds)
const tag: Enumeration<string> = enumeration(
  "WishKind",
  1,
  Object.fromEntries(rows.map(([type, { number }]) => [type, number])),
)
// The compiler cannot follow a loop over the rows: the types above say what the loop does.
export const Wish: Codec<Wish> = union(
  "Wish",
  "kind",
  tag,
  Object.fromEntries(rows.map(([type, { fields }]) => [type, fields])),
) as Codec<any>

const calls: ReadonlyMap<string, WishWords> = new Map(rows.flatMap(([, kind]) => Object.entries<WishWords>(kind.calls)))
/** In the order of the table. */
export const wishNames: readonly WishName[] = [...calls.keys()] as WishName[]

/** What is said of a call. */
export function wishWords(name: WishName): WishWords {
  return calls.get(name)!
}

export function isBy<B extends Kinds[keyof Kinds]["by"]>(wish: Wish, by: B): wish is WishBy<B> {
  return wishKinds[wish.type].by === by
}
