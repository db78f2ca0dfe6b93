import type { ClientErrorCode, Content } from "@conclave/client"
import type { Alert } from "./alerts.js"
import type { Notice } from "./notice.js"

/** Every kind of record, by the first part of its key; the second is the id of what it is about, or empty. */
export interface RecordValues {
  /** The number of the last event that is in here: one that comes again is passed over. */
  readonly lastEvent: number
  /** By conversation. */
  readonly arrived: Arrived
  readonly read: ReadMark
  readonly notices: readonly Notice[]
  readonly failed: readonly FailedMessage[]
  readonly draft: KeptDraft
  readonly flags: Flags
  readonly renewal: Renewal
  readonly commits: readonly KeptCommit[]
  /** By code and conversation, and by the key's digits and name. */
  readonly alert: Alert
  readonly keyAlert: KeyAlert
  /** By the key's digits and name: devices of people that came after the first one. */
  readonly newDevice: NewDevice
  /** By name: the safety codes that the user has compared and found equal. */
  readonly compared: readonly string[]
  /** By name. */
  readonly blocked: Blocked
  /** By the application's own key. */
  readonly setting: Setting
}
export type RecordKind = keyof RecordValues

export const recordKinds: ReadonlySet<string> = new Set<RecordKind>([
  ...(["lastEvent", "arrived", "read", "notices", "failed", "draft", "flags", "renewal", "commits"] as const),
  ...(["alert", "keyAlert", "newDevice", "compared", "blocked", "setting"] as const),
])
/** Of these there is one for each conversation, which goes with it. */
export const conversationKinds = [
  "arrived",
  "read",
  "notices",
  "failed",
  "draft",
  "flags",
  "renewal",
  "commits",
] as const

/** What has come in a conversation. It is written by the window that has the client; what was read, by any. */
export interface Arrived {
  /** Messages of others so far, but for those of people who were blocked when they came. */
  readonly count: number
  /** The place of the last message. */
  readonly lastSeq: number | undefined
  /**
   * When something was last told of it, by this device's clock, but never the same for two: conversations are ordered by
   * arrival, whatever the clocks of senders say.
   */
  readonly changedAt: number | undefined
}

/** So far the user has read: both numbers only grow, so that two windows cannot take back what one of them has marked. */
export interface ReadMark {
  readonly count: number
  readonly upTo: number | undefined
}

export interface Flags {
  readonly isMuted?: boolean
  readonly isArchived?: boolean
  readonly isDeleted?: boolean
  /** Messages up to this place are not shown. */
  readonly deletedUpTo?: number
}

export interface KeptDraft {
  readonly text: string
  /** It has been given to the client since `sentAt`: it is a draft again only where the client does not have it. */
  readonly sentAt?: number
}

/** A message that the service will never take, or that could not even be stored; its text is kept for the user. */
export interface FailedMessage {
  readonly messageId: string
  readonly content: Content
  readonly at: number
  readonly why: FailureReason
}

export type FailureReason =
  /** This device is no longer a member, lost the conversation, or it goes on in a new group; or the service refused. */
  | { readonly code: "left" | "lost" | "continued" | "refused" }
  /** It could not be stored: what the client said. */
  | { readonly code: "error"; readonly error: ClientErrorCode | undefined; readonly message: string }
  /** A sentence that an earlier version has kept. */
  | { readonly code: "told"; readonly message: string }

/** What the commit that began `epoch` did to the tree, by node indexes. */
export interface Renewal {
  readonly epoch: string
  /** The path: nodes that got new keys. */
  readonly nodes: readonly number[]
  /** Leaves of newcomers. */
  readonly added: readonly number[]
}

/** A commit that moved a group, as `Conversation.inspect` says it. */
export interface KeptCommit {
  /** The epoch that it began. */
  readonly epoch: string
  /** Its place in the log. */
  readonly seq: string
  /** The committer; empty where that is not known. */
  readonly by: string
  readonly own: boolean
  /** It renewed the keys from the committer's leaf to the root. */
  readonly path: boolean
  /** Names, one for each device. */
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Unix time in milliseconds, by this device's clock. */
  readonly at: number
}

export interface NewDevice {
  /** Unix time in milliseconds, by this device's clock. */
  readonly at: number
  /** The user has approved it, after a question. */
  readonly isApproved: boolean
}

export interface KeyAlert {
  readonly number: number
  readonly conversation: string | undefined
  readonly name: string
  /** Hexadecimal. */
  readonly signatureKey: string
  readonly endorsed: boolean
  readonly accepted: boolean
  /** The user does not want it approved, for now. */
  readonly refused?: boolean
}

export interface Blocked {
  /** Unix time in milliseconds. */
  readonly at: number
}

export type Setting = string | number | boolean

export const nothingArrived: Arrived = Object.freeze({ count: 0, lastSeq: undefined, changedAt: undefined })
export const nothingRead: ReadMark = Object.freeze({ count: 0, upTo: undefined })
export const noFlags: Flags = Object.freeze({})
export const noDraft: KeptDraft = Object.freeze({ text: "" })

/** An id may contain slashes, a kind does not. */
export function recordKey(kind: RecordKind, id: string): string {
  return `${kind}/${id}`
}

export function partsOfKey(key: string): readonly [kind: string, id: string] {
  const at = key.indexOf("/")
  return at === -1 ? [key, ""] : [key.slice(0, at), key.slice(at + 1)]
}

/** Later of two marks, each number by itself. */
export function furtherMark(one: ReadMark, other: ReadMark): ReadMark {
  const upTo = Math.max(one.upTo ?? -1, other.upTo ?? -1)
  return { count: Math.max(one.count, other.count), upTo: upTo === -1 ? undefined : upTo }
}

/** As text, for {@link fromText}: JSON has neither dates nor bytes. */
export function toText(value: unknown): string {
  return JSON.stringify(value, storable)
}

/** `JSON.stringify` has made text of a date before it asks. */
function storable(this: Readonly<Record<string, unknown>>, name: string, value: unknown): unknown {
  const held = this[name]
  if (held instanceof Date) return { milliseconds: held.getTime() }
  return held instanceof Uint8Array ? { hexadecimal: hexOf(held) } : value
}

/** @throws SyntaxError for text that {@link toText} has not made */
export function fromText(text: string): unknown {
  return JSON.parse(text, readable)
}

function readable(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.keys(value).length !== 1) return value
  if ("milliseconds" in value && typeof value.milliseconds === "number") return new Date(value.milliseconds)
  return "hexadecimal" in value && typeof value.hexadecimal === "string" ? bytesOf(value.hexadecimal) : value
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}

export function bytesOf(hexadecimal: string): Uint8Array {
  return Uint8Array.from(hexadecimal.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
