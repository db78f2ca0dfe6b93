import { StoreUnavailable } from "@conclave/delivery/store"

/** A connection, as far as it is needed. */
interface Reading {
  get(sql: string): Readonly<Record<string, any>> | undefined
}

/** The service of a file is another store's now. */
export interface Moved {
  /** Unix time in milliseconds. */
  readonly at: number
  /** For a person, without a password. */
  readonly place: string
}

/** What the file says of it: the table is made when the file is marked. */
export function movedIn(connection: Reading): Moved | undefined {
  if (connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'moved'") === undefined) return undefined
  const row = connection.get("SELECT at, place FROM moved")
  return row && { at: Number(row.at), place: row.place }
}

/** Throws {@link StoreUnavailable} where the service has moved: on from the file, its logs would be others than those there. */
export function requireUnmoved(connection: Reading): void {
  const moved = movedIn(connection)
  if (moved === undefined) return
  const day = new Date(moved.at).toISOString().slice(0, 10)
  throw new StoreUnavailable(
    `the service was moved to ${moved.place} on ${day}: serve it there, with DATABASE_URL; ` +
      "docs/operating.md says how to go back",
  )
}
