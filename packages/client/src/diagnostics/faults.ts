import { RuleError, type RuleId, rules } from "@conclave/mls"
import { TransportError } from "@conclave/transport"
import { clientErrorCodes } from "../kinds/trouble-events.js"
import { faultWords } from "../line.js"

declare const known: unique symbol
/** Text made of words that stand in this program, and of numbers: nothing that a person or a service has said. */
export type KnownWords = string & { readonly [known]: true }

const codes: ReadonlySet<string> = new Set([
  ...clientErrorCodes,
  ...["UNREADABLE", "UNAPPROVED", "FALSE_ANSWER", "CANNOT_KNOCK", "PROPOSALS_DROPPED", "TOO_MANY_INVITATIONS"],
  ...["UNSIGNED", "WITHHELD", "FALSE_HEAD"],
  ...["RULE_VIOLATED", "NOT_AUTHENTIC", "UNSUPPORTED", "WRONG_EPOCH", "GENERATION_SPENT", "EPOCHS_SPENT"],
  ...["FORWARD_BUDGET_SPENT", "COMMIT_PENDING", "NO_SUCH_KEY", "STATE_ROLLED_BACK"],
  ...["DECODE_FAILED", "TRANSPORT_FAILED", "OTHER_VERSION", "INTERNAL"],
  ...["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"],
  ...["EADDRNOTAVAIL", "EACCES", "EPERM", "ENOENT", "ENOSPC", "EROFS", "EIO", "EMFILE", "EBUSY", "EEXIST"],
  ...["CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN", "ERR_TLS_CERT_ALTNAME_INVALID"],
  ...["UND_ERR_SOCKET", "UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"],
  ...["SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_READONLY"],
  ...["SQLITE_CANTOPEN", "SQLITE_NOTADB", "SQLITE_ERROR"],
])

const classes: ReadonlySet<string> = new Set([
  ...["Error", "TypeError", "RangeError", "SyntaxError", "ReferenceError", "EvalError", "URIError", "AggregateError"],
  ...["ClientError", "DecodeError", "RuleError", "AuthenticityError", "StateError", "UnsupportedError"],
  ...["TransportError", "OtherVersionError", "SqliteError"],
  // Of a DOMException.
  ...["AbortError", "TimeoutError", "NetworkError", "QuotaExceededError", "InvalidStateError", "NotFoundError"],
  ...["OperationError", "DataError", "UnknownError", "TransactionInactiveError", "VersionError", "SecurityError"],
])

/** Texts of errors that are the same whatever has happened: all others may quote names, titles, files or answers. */
export const constantTexts: readonly string[] = [
  ...Object.values(faultWords),
  "the service's answer cannot be read",
  "the stream broke",
  "this device's clock differs from the service's",
  "the client is closed",
  "the client is not open",
  "the store is closed",
  "a record was not sealed with this sealing key",
  "another tab has this profile",
  "another tab has taken this profile over",
  "the browser has closed the database",
  "the browser closes the database again and again",
  "the database is being deleted",
  "the browser keeps no key",
  "the Delivery Service is busy",
  "the Authentication Service is busy",
]
const texts: ReadonlySet<string> = new Set(constantTexts)

const CAUSES_MAX = 4
const FRAMES_MAX = 12

/**
 * What an error is, without what it says: its class and code, the rule that was broken, the status that a server
 * answered with, one of {@link constantTexts}, and the same of its causes after `<`. What is not known is `other`.
 */
export function faultOf(error: unknown): KnownWords {
  const parts: string[] = []
  for (let it = error; it !== undefined && parts.length < CAUSES_MAX; it = causeOf(it)) parts.push(partOf(it))
  return parts.join(" < ") as KnownWords
}

function partOf(error: unknown): string {
  if (!(error instanceof Error)) return `a thrown ${typeof error}`
  const { name, message, code } = error as { name?: unknown; message?: unknown; code?: unknown }
  const words = [classes.has(String(name)) ? String(name) : "other"]
  if (code !== undefined) words.push(codeOf(code))
  if (error instanceof RuleError) words.push(error.rule in rules ? error.rule : "")
  if (error instanceof TransportError && typeof error.status === "number") words.push(String(Math.trunc(error.status)))
  if (typeof message === "string" && texts.has(message)) words.push(`(${message})`)
  return words.join(" ")
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}

/** A code that this program, or the platform, is known to use; `other` for any other value. */
export function codeOf(code: unknown): KnownWords {
  return (typeof code === "string" && codes.has(code) ? code : "other") as KnownWords
}

/** The rule that a reason names, as the text of a RuleError does. */
export function ruleIn(reason: string): RuleId | undefined {
  const id = /\(([a-z0-9.-]+), RFC 9420 §/.exec(reason)?.[1]
  return id !== undefined && Object.hasOwn(rules, id) ? (id as RuleId) : undefined
}

/**
 * Where an error was made: functions, and files without their folders, of at most twelve frames. A stack begins with the
 * error's message, which is cut off; where it is not found there, only whole lines of the engine's own form count.
 */
export function framesOf(error: unknown): KnownWords | undefined {
  if (!(error instanceof Error) || typeof error.stack !== "string") return undefined
  const { stack, message } = error
  const at = message === "" ? -1 : stack.indexOf(message)
  const lines = (at === -1 ? stack : stack.slice(at + message.length)).split("\n")
  const frames = lines.flatMap((line) => frameIn(line) ?? [])
  return frames.length === 0 ? undefined : (frames.slice(0, FRAMES_MAX).join(" < ") as KnownWords)
}

const V8_FRAME =
  /^ {4}at (?:async )?(?:([\w.$<>#]{1,60}) (?:\[as [\w.$#]{1,60}\] )?\()?[^()]{0,400}?([\w.-]{1,60}:\d+:\d+)\)?$/
const OTHER_FRAME = /^([\w.$<>#/*]{0,60})@[^()]{0,400}?([\w.-]{1,60}:\d+:\d+)$/

function frameIn(line: string): string | undefined {
  const [, name, place] = V8_FRAME.exec(line) ?? OTHER_FRAME.exec(line) ?? []
  if (place === undefined) return undefined
  return name === undefined || name === "" ? place : `${name} ${place}`
}
