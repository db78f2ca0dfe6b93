import { chmodSync, existsSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import Database from "libsql"
import { ClientError } from "../errors.js"
import type { ListOptions, Store, StoreChanges, StoreRecord } from "./store.js"

/**
 * A profile in an SQLite file, made if it is not there (readable by its owner alone). A second writer, of this process
 * or another, is refused with `ClientError` `STORE_LOCKED` for as long as this one is open.
 */
export function sqliteStore(file: string): Store {
  const database = openLocked(file)
  try {
    requireVersion(database, file)
    database.exec(
      "CREATE TABLE IF NOT EXISTS record (key TEXT PRIMARY KEY COLLATE BINARY, value BLOB NOT NULL) WITHOUT ROWID;" +
        `PRAGMA user_version = ${SCHEMA_VERSION}`,
    )
    return new SqliteStore(database, release)
  } catch (error) {
    try {
      release(database)
    } catch {
      // What fails at this too is given back when the connection has been collected.
    }
    database.close()
    throw error instanceof ClientError ? error : failed(error)
  }
}

/**
 * The records of a profile in an SQLite file, to be read: a transaction rejects with `STORE_FAILED`, and no byte of the
 * file changes. Where a program was killed that had it open, SQLite reads what is in the log beside the file, and leaves
 * its index of that there (`-shm`).
 *
 * @throws {ClientError} `STORE_LOCKED` while a client has it open, `WRONG_PROFILE` when it is no profile or that of a
 * later version, `STORE_FAILED` when it is not there or no database
 */
export function sqliteReader(file: string): Store {
  let database: Database.Database | undefined
  try {
    // See sqlite.org/uri.html.
    database = new Database(`${pathToFileURL(file)}?mode=ro`)
    database.exec("PRAGMA busy_timeout = 0")
    requireVersion(database, file)
    if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'record'").get() === undefined) {
      throw new ClientError("WRONG_PROFILE", `${file} is not a profile`)
    }
    return new SqliteStore(database, () => {})
  } catch (error) {
    database?.close()
    if (isBusy(error)) throw new ClientError("STORE_LOCKED", `${file} is in use by another client`, error)
    throw error instanceof ClientError ? error : failed(error)
  }
}

const SCHEMA_VERSION = 1

function requireVersion(database: Database.Database, file: string): void {
  const version = (database.prepare("PRAGMA user_version").get() as { user_version: number }).user_version
  if (version > SCHEMA_VERSION) {
    throw new ClientError("WRONG_PROFILE", `${file} was written by a later version of this program`)
  }
}

/**
 * A connection lives on while its statements wait for the garbage collector: the lock has to be given back by hand,
 * which a database in WAL mode cannot do.
 */
function release(database: Database.Database): void {
  database.exec("PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL")
  database.exec("SELECT 1 FROM sqlite_schema LIMIT 1")
}

function openLocked(file: string): Database.Database {
  const isNew = !existsSync(file)
  let database: Database.Database | undefined
  try {
    database = new Database(file)
    if (isNew && file !== ":memory:") chmodSync(file, 0o600)
    // The lock belongs to the open file, so the kernel gives it back if the process dies; it is taken by the first
    // transaction and kept, see sqlite.org/pragma.html#pragma_locking_mode.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = 0")
    database.exec("PRAGMA journal_mode = WAL")
    // FULL: a commit is on the disk before it returns, see sqlite.org/pragma.html#pragma_synchronous.
    database.exec("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON")
    database.exec("BEGIN EXCLUSIVE; COMMIT")
    return database
  } catch (error) {
    database?.close()
    if (isBusy(error)) throw new ClientError("STORE_LOCKED", `${file} is in use by another client`, error)
    throw failed(error, whyUnopened(file))
  }
}

/** SQLite says of all of these that it is unable to open the file. */
function whyUnopened(file: string): string | undefined {
  if (existsSync(file)) return statSync(file).isDirectory() ? `${file} is a folder: a profile is a file` : undefined
  const folder = dirname(resolve(file))
  if (!existsSync(folder)) return `there is no folder ${folder} for the profile`
  return undefined
}

class SqliteStore implements Store {
  readonly lost = new Promise<Error>(() => {})
  readonly #database: Database.Database
  readonly #release: (database: Database.Database) => void
  readonly #get: Database.Statement
  readonly #put: Database.Statement
  readonly #delete: Database.Statement
  readonly #lists = new Map<string, Database.Statement>()
  #closed = false

  /** `release` gives the file back before the connection is closed. */
  constructor(database: Database.Database, release: (database: Database.Database) => void) {
    this.#database = database
    this.#release = release
    this.#get = database.prepare("SELECT value FROM record WHERE key = ?")
    this.#put = database.prepare(
      "INSERT INTO record (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    this.#delete = database.prepare("DELETE FROM record WHERE key = ?")
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const row = this.#attempt(() => this.#get.get(key)) as { value: Uint8Array } | undefined
    return row === undefined ? undefined : new Uint8Array(row.value)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly StoreRecord[]> {
    const end = endOfPrefix(prefix)
    const before = options.before !== undefined && options.before < end ? options.before : end
    const rows = this.#attempt(() =>
      this.#list(options.reverse === true).all(prefix, before, options.limit ?? -1),
    ) as readonly { key: string; value: Uint8Array }[]
    return rows.map(({ key, value }) => [key, new Uint8Array(value)])
  }

  async transaction(changes: StoreChanges): Promise<void> {
    this.#attempt(() => {
      this.#database.exec("BEGIN IMMEDIATE")
      try {
        for (const key of changes.delete) this.#delete.run(key)
        for (const [key, value] of changes.put) this.#put.run(key, value)
        this.#database.exec("COMMIT")
      } catch (error) {
        // After a full disk SQLite may have rolled back already.
        if (this.#database.inTransaction) this.#database.exec("ROLLBACK")
        throw error
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#attempt(() => {
      this.#release(this.#database)
      this.#database.close()
    })
    this.#closed = true
  }

  #list(reverse: boolean): Database.Statement {
    const order = reverse ? "DESC" : "ASC"
    let statement = this.#lists.get(order)
    if (statement === undefined) {
      statement = this.#database.prepare(
        `SELECT key, value FROM record WHERE key >= ? AND key < ? ORDER BY key ${order} LIMIT ?`,
      )
      this.#lists.set(order, statement)
    }
    return statement
  }

  #attempt<T>(work: () => T): T {
    if (this.#closed) throw new ClientError("STORE_FAILED", "the store is closed")
    try {
      return work()
    } catch (error) {
      throw failed(error)
    }
  }
}

/** The first key behind all that start with `prefix`: keys are ASCII. */
function endOfPrefix(prefix: string): string {
  return `${prefix}\u007f`
}

function isBusy(error: unknown): boolean {
  const code = (error as { code?: unknown }).code
  return (typeof code === "string" && code.startsWith("SQLITE_BUSY")) || /database is locked/.test(String(error))
}

function failed(error: unknown, why?: string): ClientError {
  return new ClientError("STORE_FAILED", why ?? `the profile's database failed: ${(error as Error).message}`, error)
}
