import { StoreUnavailable } from "@conclave/delivery/store"

/** The conditions of the machine and not of the program; https://sqlite.org/rescode.html. */
const conditions: Readonly<Record<string, string>> = {
  SQLITE_BUSY: "the database is locked",
  SQLITE_LOCKED: "the database is locked",
  SQLITE_FULL: "the disk is full",
  SQLITE_IOERR: "the disk does not work",
  SQLITE_CORRUPT: "the database is damaged",
  SQLITE_NOTADB: "the file is no database",
  SQLITE_READONLY: "the database cannot be written",
  SQLITE_CANTOPEN: "the database cannot be opened",
  SQLITE_PERM: "the database cannot be opened",
  SQLITE_NOMEM: "there is no memory left",
}

/** Conditions that pass by themselves. */
const passing = { SQLITE_BUSY: true, SQLITE_LOCKED: true }
/** Until somebody has done something about the others. */
const NEEDS_HELP_MILLISECONDS = 30_000

/** SQLite's name of the condition; `undefined` for any other error. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  if (typeof code !== "string") return undefined
  // Extended codes say more than is needed: SQLITE_IOERR_FSYNC.
  return Object.keys(conditions).find((name) => code === name || code.startsWith(`${name}_`)) ?? code
}

export const isFull = (error: unknown) => codeOf(error) === "SQLITE_FULL"
export const isUnavailable = (error: unknown) => Object.hasOwn(conditions, codeOf(error) ?? "")

export function unavailable(error: unknown): unknown {
  if (!isUnavailable(error)) return error
  const code = codeOf(error)!
  return new StoreUnavailable(conditions[code]!, error, code in passing ? undefined : NEEDS_HELP_MILLISECONDS)
}

/** Throws {@link StoreUnavailable} in place of SQLite's error where the machine is at fault, not the program. */
export function available<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw unavailable(error)
  }
}
