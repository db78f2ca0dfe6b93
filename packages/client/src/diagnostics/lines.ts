import type { RuleId } from "@conclave/mls"
import type { NewEvent } from "../kinds/events.js"
import type { LineFault } from "../line.js"
import type { KnownWords } from "./faults.js"

export type Level = "debug" | "info" | "warn" | "error"
export type RunnerName = "conversation" | "inbox" | "key packages" | "own devices"

/** The id of a conversation: its bytes, or the same in hexadecimal. */
export type Id = string | Uint8Array

/** A literal, or one of several: a field that could be any text is refused, see {@link Shown}. */
type Word = string

/** In a conversation; `conversation` is its id, which a line shows as a pseudonym. */
interface Within {
  readonly conversation: Id
}
interface Change extends Within {
  readonly from: Word
  readonly to: Word
}
interface Failure {
  readonly error: KnownWords
  /** Of errors that nobody expected. */
  readonly frames?: KnownWords | undefined
}

/**
 * Every line that a client writes, with its fields. A field is a number, a flag, or a word of a closed list: the types
 * leave no room for text that somebody wrote. Times are in milliseconds; sizes are in bytes, and shown as the next power
 * of two.
 */
export interface Lines {
  opening: { readonly live: boolean; readonly firstTime: boolean }
  opened: { readonly suite: number; readonly conversations: number; readonly milliseconds: number }
  "opening failed": Failure
  closing: { readonly conversations: number; readonly because: KnownWords | undefined }
  closed: { readonly openMilliseconds: number; readonly milliseconds: number }
  online: { readonly subscriptions: number }
  polling: { readonly fault: LineFault | undefined }
  offline: { readonly because: KnownWords | undefined }
  "subscription not extended": Failure
  "subscription broke": Failure & { readonly cursors: number; readonly failures: number; readonly pause: number }
  input: Within & {
    readonly input: Word
    /** The question that is answered, or what is wished. */
    readonly of: Word | undefined
    readonly entries: number | undefined
    readonly epoch: bigint
    readonly seq: bigint
    readonly effects: number
    readonly asks: Word | undefined
  }
  answer: Within & {
    readonly question: Word
    readonly sent: Word | undefined
    readonly size: number | undefined
    readonly answer: Word | undefined
    readonly count: number | undefined
    readonly milliseconds: number
  }
  "no answer": Within &
    Failure & {
      readonly question: Word
      readonly sent: Word | undefined
      readonly milliseconds: number
    }
  status: Change
  recovery: Change
  "passed over": Within & { readonly of: Word; readonly why: Word }
  obstacle: Change
  "inbox entry": { readonly entry: Word; readonly number: bigint }
  transaction: {
    readonly puts: number
    readonly deletes: number
    readonly events: number
    readonly size: number
    readonly milliseconds: number
  }
  "transaction failed": Failure
  "listener failed": Failure
  "try failed": Failure & {
    readonly runner: RunnerName
    readonly conversation: string | undefined
    readonly failures: number
    readonly pause: number
  }
  event: {
    readonly event: Word
    readonly conversation: Id | undefined
    /** Of `keyChanged`: the name, which a line shows as a pseudonym. */
    readonly person: string | undefined
    readonly code: KnownWords | undefined
    readonly rule: RuleId | undefined
    readonly wish: Word | undefined
  }
}
export type LineKind = keyof Lines

/** Fields that are shown as pseudonyms. */
export type Hidden = "conversation" | "person"

/** `F`, unless one of its fields could hold any text. */
export type Shown<F> = {
  readonly [K in keyof F]: K extends Hidden ? F[K] : string extends F[K] ? never : F[K]
}

type Form<F> = {
  readonly level: Level | ((fields: F) => Level)
  readonly message: string
}

const troubledStatuses: ReadonlySet<Word> = new Set(["recovering", "stopped", "halted", "lost"])

const eventLevels: Readonly<Partial<Record<string, Level>> & Partial<Record<NewEvent["type"], Level>>> = {
  rejected: "info",
  failed: "info",
  deferred: "info",
  declined: "info",
  recovered: "info",
  throttled: "info",
  keyChanged: "warn",
  halted: "warn",
  lost: "warn",
  missing: "warn",
  unavailable: "warn",
  update: "warn",
}

/** Frames are given where nobody expected the error. */
const byExpectation = ({ frames }: Failure): Level => (frames === undefined ? "warn" : "error")

export const forms: { readonly [K in LineKind]: Form<Lines[K]> } = {
  opening: { level: "info", message: "opening a profile" },
  opened: { level: "info", message: "the client is open" },
  "opening failed": { level: byExpectation, message: "the profile cannot be opened" },
  closing: { level: ({ because }) => (because === undefined ? "info" : "warn"), message: "closing the client" },
  closed: { level: "info", message: "the client is closed" },
  online: { level: "info", message: "everything is followed" },
  polling: { level: "info", message: "there is no stream: the service is asked for news" },
  offline: { level: "info", message: "not everything is followed" },
  "subscription broke": { level: "info", message: "a subscription broke" },
  "subscription not extended": { level: "info", message: "a subscription was not extended" },
  "passed over": { level: "info", message: "a conversation passed something over" },
  input: { level: "debug", message: "a step of a conversation" },
  answer: { level: "debug", message: "a question was answered" },
  "no answer": { level: "info", message: "a question was not answered" },
  status: {
    level: ({ to }) => (troubledStatuses.has(to) ? "warn" : "info"),
    message: "a conversation's status changed",
  },
  recovery: { level: ({ to }) => (to === "following" ? "info" : "warn"), message: "a conversation's recovery changed" },
  obstacle: { level: ({ to }) => (to === "none" ? "info" : "warn"), message: "a conversation's obstacle changed" },
  "inbox entry": { level: "debug", message: "an entry of the inbox" },
  transaction: { level: "debug", message: "stored" },
  "transaction failed": { level: byExpectation, message: "a transaction failed" },
  "listener failed": { level: byExpectation, message: "a listener of the application failed" },
  "try failed": { level: byExpectation, message: "a try failed" },
  event: { level: ({ event }) => eventLevels[event] ?? "debug", message: "an event was stored" },
}

export function levelOf<K extends LineKind>(kind: K, fields: Lines[K]): Level {
  const { level } = forms[kind] as Form<Lines[K]>
  return typeof level === "function" ? level(fields) : level
}
