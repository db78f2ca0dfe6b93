import { StoreUnavailable } from "@conclave/delivery/store"

/**
 * What the server, or the connection to it, said. It has no text of the server's: that may quote values, and what it is
 * about is in the code.
 */
export class QueryFailure extends Error {
  override readonly name = "QueryFailure"
  /** SQLSTATE, the system's error code, or a word of this module's. */
  readonly code: string
  readonly table: string | undefined
  /** The server has said that the statement failed, and not that it ends the connection, where the language of its messages lets it be told. */
  readonly isOfStatement: boolean

  constructor(error: unknown, code = codeOf(error)) {
    const { constraint, table } = error as { readonly constraint?: unknown; readonly table?: unknown }
    super(`the database failed (${[code, constraint].filter((it) => typeof it === "string").join(", ")})`)
    this.code = code
    this.isOfStatement = (error as { readonly severity?: unknown }).severity === "ERROR"
    this.table = typeof table === "string" ? table : undefined
  }
}

/** For a failure whose connection is gone, or in a state that is not known. */
export const CONNECTION_LOST = "connection lost"
/** The server did not answer a statement, not even to say that it took too long. */
const NO_ANSWER = "no answer"
const NO_ROOM = "no connection became free"
/** What the driver says without a code. */
const ofDriver: Readonly<Record<string, string>> = {
  "Query read timeout": NO_ANSWER,
  "timeout exceeded when trying to connect": NO_ROOM,
  "timeout expired": "ETIMEDOUT",
  "Connection terminated due to connection timeout": "ETIMEDOUT",
}
/** An answer to COMMIT that did not come. */
export const COMMIT_UNANSWERED = "commit unanswered"
/** COMMIT was answered before the synchronous replica had it. */
export const NOT_REPLICATED = "not replicated"

function codeOf(error: unknown): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown }
  if (typeof code === "string") return code
  return (typeof message === "string" && ofDriver[message]) || CONNECTION_LOST
}

/** The conditions of the machines and not of the program: https://www.postgresql.org/docs/13/errcodes-appendix.html. */
const conditions: Readonly<Record<string, string>> = {
  [CONNECTION_LOST]: "the connection to the database was lost",
  [NO_ANSWER]: "the database does not answer",
  [NO_ROOM]: "too much waits for the database",
  [COMMIT_UNANSWERED]: "the connection to the database was lost, and it may have written or not",
  [NOT_REPLICATED]: "the database did not wait for its replica",
  "08": "the connection to the database was lost",
  "25006": "the database cannot be written: it is read-only",
  "25P03": "the database waited too long in a transaction",
  "28": "the database refuses this user",
  "3D000": "there is no such database",
  "40001": "too many write the same at the same time",
  "40P01": "too many write the same at the same time",
  "42501": "this user may not use the tables of the database",
  "53100": "the disk of the database is full",
  "53200": "the database has no memory left",
  "53300": "the database has too many connections",
  "53": "the database is at a limit of its own",
  "55P03": "the database is locked",
  "57014": "the database took too long",
  "57P01": "the database is shutting down",
  "57P02": "the database is restarting after a crash",
  "57P03": "the database is starting",
  "57": "the database ended the connection",
  "58": "the disk of the database does not work",
  XX: "the database is damaged",
  ECONNREFUSED: "the database cannot be reached: nothing listens there",
  ECONNRESET: "the connection to the database was lost",
  EPIPE: "the connection to the database was lost",
  ENOTFOUND: "the database cannot be reached: its host has no address",
  EAI_AGAIN: "the database cannot be reached: its host has no address just now",
  ETIMEDOUT: "the database cannot be reached: nothing answers there",
}

/** In milliseconds, until another server has taken over, or this one is back. */
const COMES_BACK = 3_000
/** In milliseconds, until somebody has done something about it. */
const NEEDS_HELP = 30_000
/** Of others than these, the next try may do. */
const waits: Readonly<Record<string, number>> = {
  "25006": COMES_BACK,
  "57P01": COMES_BACK,
  "57P02": COMES_BACK,
  "57P03": COMES_BACK,
  ECONNREFUSED: COMES_BACK,
  ENOTFOUND: COMES_BACK,
  EAI_AGAIN: COMES_BACK,
  ETIMEDOUT: COMES_BACK,
  "28": NEEDS_HELP,
  "3D000": NEEDS_HELP,
  "42501": NEEDS_HELP,
  "53100": NEEDS_HELP,
  "58": NEEDS_HELP,
  XX: NEEDS_HELP,
}

/** As a store tells of it, where the machines are at fault; otherwise as it is. */
export function unavailable(error: unknown): unknown {
  if (!(error instanceof QueryFailure)) return error
  const isOfServer = /^[0-9A-Z]{5}$/.test(error.code) || Object.hasOwn(conditions, error.code)
  const code = isOfServer ? error.code : CONNECTION_LOST
  const reason = conditions[code] ?? conditions[code.slice(0, 2)]
  const wait = waits[code] ?? waits[code.slice(0, 2)]
  return reason === undefined ? error : new StoreUnavailable(reason, error, wait)
}

/** Whatever keeps a connection from being made is not the program's fault. */
export function unreachable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error
  const failure = error instanceof QueryFailure ? error : new QueryFailure(error)
  const told = failure.code === CONNECTION_LOST ? undefined : unavailable(failure)
  return told instanceof StoreUnavailable
    ? told
    : new StoreUnavailable("the database cannot be reached", failure, COMES_BACK)
}

/** The code of a failure, also of one that was made a {@link StoreUnavailable}. */
export function failureCode(error: unknown): string | undefined {
  const failure = error instanceof StoreUnavailable ? error.cause : error
  return failure instanceof QueryFailure ? failure.code : undefined
}

/** The transaction can be run again: another was in its way, or a newer gateway has changed the tables since. */
export const isRetryable = (error: unknown) => ["40001", "40P01", "0A000", "26000"].includes(failureCode(error) ?? "")

/** A connection must not be used after these: gone, or with statements that fit the tables no longer. */
export const spoilsConnection = (error: unknown) => /^(08|57P|0A000|26000|25P03|[^\d])/.test(failureCode(error) ?? "0")

/** The server may have been demoted: a new connection may lead to another. */
export const isReadOnly = (error: unknown) => failureCode(error) === "25006"

/** The connection was gone, or went, before anything was done on it. */
export const isLost = (error: unknown) =>
  error instanceof QueryFailure && /^(08|57P|E[A-Z]{4}|connection lost)/.test(error.code)

/** No such table or column, or another type. */
export const isOfTables = (error: unknown) => error instanceof QueryFailure && error.code.startsWith("42")
