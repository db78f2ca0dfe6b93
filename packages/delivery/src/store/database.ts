import Libsql from "libsql"
import { StoreUnavailable } from "./store.js"

export type SqlValue = Uint8Array | bigint | number | string | null
export type Row = Readonly<Record<string, any>>

/** What a unit of work may do. Integers come out as `bigint`, blobs as `Uint8Array`. */
export interface Connection {
  get(sql: string, parameters?: readonly SqlValue[]): Row | undefined
  all(sql: string, parameters?: readonly SqlValue[]): Row[]
  /** How many rows were changed. */
  run(sql: string, parameters?: readonly SqlValue[]): number
}

/**
 * One SQLite file. Work that is written together is made durable together: whatever arrives while the disk is busy
 * shares the next transaction, and each promise resolves only when that is on the disk (WAL, `synchronous=FULL`).
 */
export interface Database extends AsyncDisposable {
  /** Brings the tables of one component up to date; several components share a file. Throws {@link StoreUnavailable}. */
  migrate(component: string, migrations: readonly string[]): void
  /** Sees what is committed. Throws {@link StoreUnavailable}. */
  read<T>(work: (connection: Connection) => T): T
  /**
   * Runs `work`, which must be synchronous, in a transaction. An error that it throws undoes it alone and rejects;
   * rejects with {@link StoreUnavailable} when the transaction could not be made durable.
   */
  write<T>(work: (connection: Connection) => T): Promise<T>
  /** Finishes what is under way. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** The path of a file, or `:memory:`. */
  readonly file: string
  /** How long work waits for a lock that somebody else holds; default 2,000. */
  readonly lockTimeoutMilliseconds?: number
  /** How much work may wait; default 10,000. */
  readonly queueMax?: number
}

/** Throws {@link StoreUnavailable} where the file cannot be opened or is no database. */
export function openDatabase(options: DatabaseOptions): Database {
  return new LibsqlDatabase(options)
}

/** Work of one transaction: enough to share the cost of a sync, few enough to answer the first of it soon. */
const BATCH_MAX = 256

interface Work {
  run(connection: Connection): unknown
  resolve(value: any): void
  reject(error: unknown): void
}

class LibsqlDatabase implements Database {
  readonly #database: Libsql.Database
  readonly #connection: LibsqlConnection
  readonly #lockTimeoutMilliseconds: number
  readonly #queueMax: number
  readonly #queue: Work[] = []
  #draining: Promise<void> | undefined
  #closed = false

  constructor({ file, lockTimeoutMilliseconds = 2_000, queueMax = 10_000 }: DatabaseOptions) {
    this.#lockTimeoutMilliseconds = lockTimeoutMilliseconds
    this.#queueMax = queueMax
    // No busy timeout of SQLite's own: it would stop the whole process, not only those who wait.
    this.#database = opened(file)
    this.#connection = new LibsqlConnection(this.#database)
    available(() => {
      this.#database.exec(`PRAGMA busy_timeout = ${lockTimeoutMilliseconds}`)
      this.#database.exec("PRAGMA journal_mode = WAL")
      this.#database.exec("PRAGMA busy_timeout = 0")
      this.#database.exec("PRAGMA synchronous = FULL")
      this.#database.exec("PRAGMA foreign_keys = ON")
    })
  }

  migrate(component: string, migrations: readonly string[]): void {
    available(() => {
      this.#database.exec(`PRAGMA busy_timeout = ${this.#lockTimeoutMilliseconds}`)
      this.#database.exec("BEGIN IMMEDIATE")
      try {
        this.#migrate(component, migrations)
        this.#database.exec("COMMIT")
      } finally {
        this.#rollback()
        this.#database.exec("PRAGMA busy_timeout = 0")
      }
    })
  }

  #migrate(component: string, migrations: readonly string[]): void {
    this.#database.exec(
      "CREATE TABLE IF NOT EXISTS schema_version (component TEXT PRIMARY KEY, version INTEGER) STRICT",
    )
    const row = this.#connection.get("SELECT version FROM schema_version WHERE component = ?", [component])
    const version = Number(row?.version ?? 0n)
    if (version > migrations.length) {
      throw new StoreUnavailable(`the file was written by a later version (${component} ${version})`)
    }
    for (const migration of migrations.slice(version)) this.#database.exec(migration)
    this.#connection.run("INSERT OR REPLACE INTO schema_version VALUES (?, ?)", [component, migrations.length])
  }

  read<T>(work: (connection: Connection) => T): T {
    if (this.#closed) throw new StoreUnavailable("the database is closed")
    return available(() => work(this.#connection))
  }

  write<T>(work: (connection: Connection) => T): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreUnavailable("the database is closed"))
    if (this.#queue.length >= this.#queueMax)
      return Promise.reject(new StoreUnavailable("too much waits to be written"))
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run: work, resolve, reject })
      this.#draining ??= this.#drain()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#draining
    if (this.#database.open) this.#database.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      // What else has arrived in this turn of the event loop joins in.
      await new Promise((resolve) => setImmediate(resolve))
      const batch = this.#queue.splice(0, BATCH_MAX)
      await this.#commitTogether(batch)
    }
    this.#draining = undefined
  }

  async #commitTogether(batch: readonly Work[]): Promise<void> {
    const settlements: (() => void)[] = []
    try {
      await this.#begin()
      for (const work of batch) settlements.push(this.#attempt(work))
      this.#database.exec("COMMIT")
    } catch (error) {
      this.#rollback()
      // One that is too big for the disk must not take the others with it.
      if (batch.length > 1 && isFull(error)) {
        for (const work of batch) await this.#commitTogether([work])
        return
      }
      const reason = unavailable(error)
      for (const work of batch) work.reject(reason)
      return
    }
    for (const settle of settlements) settle()
  }

  /** Runs one piece of work; what it threw is for its owner alone, what SQLite threw ends the transaction. */
  #attempt(work: Work): () => void {
    this.#database.exec("SAVEPOINT work")
    try {
      const value = work.run(this.#connection)
      this.#database.exec("RELEASE work")
      return () => work.resolve(value)
    } catch (error) {
      if (isUnavailable(error) || !this.#database.inTransaction) throw error
      this.#database.exec("ROLLBACK TO work")
      this.#database.exec("RELEASE work")
      return () => work.reject(error)
    }
  }

  async #begin(): Promise<void> {
    const deadline = performance.now() + this.#lockTimeoutMilliseconds
    for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
      try {
        this.#database.exec("BEGIN IMMEDIATE")
        return
      } catch (error) {
        if (codeOf(error) !== "SQLITE_BUSY" || performance.now() + pause > deadline) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }

  #rollback(): void {
    // SQLite has done it already after some errors, a full disk among them.
    if (this.#database.inTransaction) this.#database.exec("ROLLBACK")
  }
}

class LibsqlConnection implements Connection {
  readonly #database: Libsql.Database
  readonly #statements = new Map<string, Libsql.Statement>()

  constructor(database: Libsql.Database) {
    this.#database = database
  }

  get(sql: string, parameters: readonly SqlValue[] = []): Row | undefined {
    const row = this.#statement(sql).get(parameters as any) as Record<string, unknown> | undefined
    return row === undefined ? undefined : withArrays(row)
  }

  all(sql: string, parameters: readonly SqlValue[] = []): Row[] {
    return (this.#statement(sql).all(parameters as any) as Record<string, unknown>[]).map(withArrays)
  }

  run(sql: string, parameters: readonly SqlValue[] = []): number {
    return this.#statement(sql).run(parameters as any).changes
  }

  #statement(sql: string): Libsql.Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql).safeIntegers(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

/** What the binding throws while opening has no code of SQLite's. */
function opened(file: string): Libsql.Database {
  try {
    return new Libsql(file, { timeout: 0 })
  } catch (error) {
    throw new StoreUnavailable("the database cannot be opened", error)
  }
}

/** The binding gives blobs as `Buffer` from one call and as `ArrayBuffer` from another. */
function withArrays(row: Record<string, unknown>): Row {
  for (const name in row) {
    const value = row[name]
    if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value)
    else if (value instanceof Buffer) row[name] = new Uint8Array(value.buffer, value.byteOffset, value.length)
  }
  return row
}

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

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  if (typeof code !== "string") return undefined
  // Extended codes say more than is needed: SQLITE_IOERR_FSYNC.
  return Object.keys(conditions).find((name) => code === name || code.startsWith(`${name}_`)) ?? code
}

const isFull = (error: unknown) => codeOf(error) === "SQLITE_FULL"
const isUnavailable = (error: unknown) => Object.hasOwn(conditions, codeOf(error) ?? "")

function unavailable(error: unknown): unknown {
  return isUnavailable(error) ? new StoreUnavailable(conditions[codeOf(error)!]!, error) : error
}

function available<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw unavailable(error)
  }
}
