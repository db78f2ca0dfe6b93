/// <reference lib="esnext.disposable" preserve="true" />
import { accessSync, closeSync, constants, existsSync, openSync } from "node:fs"
import { dirname } from "node:path"
import { StoreUnavailable } from "@conclave/delivery/store"
import Libsql from "libsql"
import { available, codeOf, isFull, isUnavailable, unavailable } from "./conditions.js"
import { type FileLock, lockFile } from "./file-lock.js"
import { requireUnmoved } from "./moved.js"

export type SqlValue = Uint8Array | bigint | number | string | null
export type Row = Readonly<Record<string, any>>

/** What a unit of work may do. Integers come out as `bigint`, blobs as `Uint8Array`. */
export interface Connection {
  get(sql: string, parameters?: readonly SqlValue[]): Row | undefined
  /** As `get`, the columns in their order: half the cost of a row of many columns. */
  values(sql: string, parameters?: readonly SqlValue[]): readonly any[] | undefined
  all(sql: string, parameters?: readonly SqlValue[]): Row[]
  /** How many rows were changed. */
  run(sql: string, parameters?: readonly SqlValue[]): number
}

/**
 * One SQLite file. Work that is written together is made durable together: whatever arrives while the disk is busy
 * shares the next transaction, and each promise resolves only when that is on the disk (WAL, `synchronous=FULL`).
 */
export interface Database extends AsyncDisposable {
  /**
   * Brings the tables of one component up to date; several components share a file. Throws {@link StoreUnavailable}, also
   * where the service was moved elsewhere.
   */
  migrate(component: string, migrations: readonly string[]): void
  /** Sees what is committed. Throws {@link StoreUnavailable}. */
  read<T>(work: (connection: Connection) => T): T
  /**
   * Runs `work`, which must be synchronous, in a transaction. An error that it throws undoes it alone and rejects;
   * rejects with {@link StoreUnavailable} when the transaction could not be made durable. `size` is about how many
   * bytes the work holds in memory until then.
   */
  write<T>(work: (connection: Connection) => T, size?: number): Promise<T>
  usage(): Usage
  /** Work that waits to be written. */
  readonly waiting: number
  /** Brings the write-ahead log into the file and empties it, where nobody reads it just now. */
  checkpoint(): void
  /** Finishes what is under way. */
  close(): Promise<void>
}

export interface Usage {
  /** Bytes of the file that are in use. What was deleted is not: its place is used again, the file does not shrink. */
  readonly bytes: number
  /** Beyond so many bytes the file does not grow; `Infinity` without a limit. */
  readonly sizeMax: number
}

export interface DatabaseOptions {
  /** The path of a file, or `:memory:`. A file is kept for this process: see `lockFile`. */
  readonly file: string
  /**
   * The most that the file may take on the disk, in bytes, with its write-ahead log; default no limit. Reading goes on
   * at the limit. At least 1 MiB.
   */
  readonly sizeMax?: number
  /** How long work waits for a lock that somebody else holds; default 2,000. */
  readonly lockTimeoutMilliseconds?: number
  /** How much work may wait; default 10,000. */
  readonly queueMax?: number
  /** How many bytes the work that waits may hold; default 64 MiB. */
  readonly queueSizeMax?: number
  /** Is told of each transaction, by how much work it holds. */
  readonly onBatch?: (works: number) => void
}

/**
 * Deleted content is overwritten (`secure_delete`), in the file at once and in the write-ahead log as it is used again.
 * A disk without any space is no obstacle to opening and reading a file that needs no migration.
 *
 * @throws {StoreUnavailable} when the file cannot be opened, is no database, or is in use by another process.
 */
export function openDatabase(options: DatabaseOptions): Database {
  const lock = options.file === ":memory:" ? undefined : lockFile(options.file, options.sizeMax)
  try {
    // It says who talks with whom: its owner's alone, whatever the umask. SQLite gives its other files the same mode.
    if (lock !== undefined && !existsSync(options.file)) closeSync(openSync(options.file, "a", 0o600))
    return new LibsqlDatabase(options, lock)
  } catch (error) {
    lock?.release()
    throw error
  }
}

/** Work of one transaction: enough to share the cost of a sync, few enough to answer the first of it soon. */
const BATCH_MAX = 256
/** Of the bytes of one transaction: it lies in the write-ahead log until the next checkpoint. */
const BATCH_SIZE_MAX = 8 * 1024 * 1024

/** What a statement writes beside the blobs that it is given, about, in bytes: numbers, and places in indexes. */
const STATEMENT_OVERHEAD = 100
/** So much of the limit may be written within a transaction before its size is measured again. */
const UNMEASURED_MAX = 1 / 1024
/** Work has thrown after it changed something: the transaction is done again, with a savepoint for each piece. */
const HALF_DONE = Symbol("half done")

interface Work {
  readonly size: number
  run(connection: Connection): unknown
  resolve(value: any): void
  reject(error: unknown): void
}

class LibsqlDatabase implements Database {
  readonly #database: Libsql.Database
  readonly #connection: LibsqlConnection
  readonly #lock: FileLock | undefined
  readonly #lockTimeoutMilliseconds: number
  readonly #queueMax: number
  readonly #queueSizeMax: number
  readonly #sizeMax: number
  readonly #onBatch: (works: number) => void
  readonly #queue: Work[] = []
  #queueSize = 0
  #pageSize: number | undefined
  /** When the transaction under way last measured: each of its appends asks. */
  #bytesUsed: number | undefined
  /** What its statements had written then: see {@link LibsqlConnection.written}. */
  #writtenThen = 0
  #draining: Promise<void> | undefined
  #closed = false

  constructor(options: DatabaseOptions, lock: FileLock | undefined) {
    const { lockTimeoutMilliseconds = 2_000, queueMax = 10_000, queueSizeMax = 64 * 1024 * 1024 } = options
    this.#lock = lock
    this.#lockTimeoutMilliseconds = lockTimeoutMilliseconds
    this.#queueMax = queueMax
    this.#queueSizeMax = queueSizeMax
    this.#onBatch = options.onBatch ?? (() => {})
    this.#sizeMax = fileSizeMax(options.sizeMax ?? Number.POSITIVE_INFINITY)
    this.#database = openedFor(options, lockTimeoutMilliseconds)
    this.#connection = new LibsqlConnection(this.#database)
  }

  migrate(component: string, migrations: readonly string[]): void {
    available(() => {
      requireUnmoved(this.#connection)
      // What is up to date is left alone: a full disk does not keep a service from reading.
      if (this.#version(component, migrations) === migrations.length) return
      this.#database.exec(`PRAGMA busy_timeout = ${this.#lockTimeoutMilliseconds}`)
      // A file that has reached its limit is migrated all the same.
      limitTo(this.#database, Number.POSITIVE_INFINITY)
      this.#database.exec("BEGIN IMMEDIATE")
      try {
        this.#migrate(component, migrations)
        this.#database.exec("COMMIT")
      } finally {
        this.#rollback()
        this.#database.exec("PRAGMA busy_timeout = 0")
        limitTo(this.#database, this.#sizeMax)
      }
      // What a migration has deleted is still in the write-ahead log.
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    })
  }

  #migrate(component: string, migrations: readonly string[]): void {
    this.#database.exec(
      "CREATE TABLE IF NOT EXISTS schema_version (component TEXT PRIMARY KEY, version INTEGER) STRICT",
    )
    const version = this.#version(component, migrations)
    for (const migration of migrations.slice(version)) this.#database.exec(migration)
    this.#connection.run("INSERT OR REPLACE INTO schema_version VALUES (?, ?)", [component, migrations.length])
  }

  #version(component: string, { length: newest }: readonly string[]): number {
    if (this.#connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'") === undefined) return 0
    const row = this.#connection.get("SELECT version FROM schema_version WHERE component = ?", [component])
    const version = Number(row?.version ?? 0n)
    if (version <= newest) return version
    throw laterVersion(component, { version, newest })
  }

  usage(): Usage {
    if (this.#closed) throw new StoreUnavailable("the database is closed")
    // Outside of transactions, others may have written as well.
    if (!this.#database.inTransaction) return { bytes: this.#measured(), sizeMax: this.#sizeMax }
    const { written } = this.#connection
    if (this.#bytesUsed === undefined || written - this.#writtenThen > this.#sizeMax * UNMEASURED_MAX) {
      this.#bytesUsed = this.#measured()
      this.#writtenThen = written
    }
    return { bytes: this.#bytesUsed + written - this.#writtenThen, sizeMax: this.#sizeMax }
  }

  #measured(): number {
    const pragma = (name: string) => Number(this.#connection.get(`PRAGMA ${name}`)![name])
    return available(() => {
      this.#pageSize ??= pragma("page_size")
      return (pragma("page_count") - pragma("freelist_count")) * this.#pageSize
    })
  }

  get waiting(): number {
    return this.#queue.length
  }

  checkpoint(): void {
    if (this.#closed) throw new StoreUnavailable("the database is closed")
    available(() => this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)"))
  }

  read<T>(work: (connection: Connection) => T): T {
    if (this.#closed) throw new StoreUnavailable("the database is closed")
    return available(() => work(this.#connection))
  }

  write<T>(work: (connection: Connection) => T, size = 0): Promise<T> {
    if (this.#closed) return Promise.reject(new StoreUnavailable("the database is closed"))
    const isFull = this.#queue.length > 0 && this.#queueSize + size > this.#queueSizeMax
    if (this.#queue.length >= this.#queueMax || isFull) {
      return Promise.reject(new StoreUnavailable("too much waits to be written"))
    }
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run: work, size, resolve, reject })
      this.#queueSize += size
      this.#draining ??= this.#drain()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#draining
    this.#database.close()
    this.#lock?.release()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      // What else has arrived in this turn of the event loop joins in.
      await new Promise((resolve) => setImmediate(resolve))
      const batch = this.#batch()
      this.#onBatch(batch.length)
      await this.#commitTogether(batch)
    }
    this.#draining = undefined
  }

  #batch(): Work[] {
    let [length, size] = [0, 0]
    for (const work of this.#queue) {
      size += work.size
      if (length === BATCH_MAX || (length > 0 && size > BATCH_SIZE_MAX)) break
      length++
    }
    const batch = this.#queue.splice(0, length)
    for (const work of batch) this.#queueSize -= work.size
    return batch
  }

  async #commitTogether(batch: readonly Work[], { apart = false } = {}): Promise<void> {
    const settlements: (() => void)[] = []
    try {
      await this.#begin()
      this.#bytesUsed = undefined
      for (const work of batch) settlements.push(apart ? this.#attemptApart(work) : this.#attempt(work))
      this.#database.exec("COMMIT")
    } catch (error) {
      this.#rollback()
      if (error === HALF_DONE) {
        await this.#commitTogether(batch, { apart: true })
        return
      }
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

  /**
   * Runs one piece of work; what it threw is for its owner alone, what SQLite threw ends the transaction. Without a savepoint,
   * which costs as much as an append: throws {@link HALF_DONE} where there is something to undo.
   */
  #attempt(work: Work): () => void {
    const { written } = this.#connection
    try {
      const value = work.run(this.#connection)
      return () => work.resolve(value)
    } catch (error) {
      if (isUnavailable(error) || !this.#database.inTransaction) throw error
      if (this.#connection.written > written) throw HALF_DONE
      return () => work.reject(error)
    }
  }

  #attemptApart(work: Work): () => void {
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

export function laterVersion(
  component: string,
  { version, newest }: { readonly version: number; readonly newest: number },
): StoreUnavailable {
  return new StoreUnavailable(
    `the file was written by a later version of Conclave (${component} ${version}, known up to ${newest}): ` +
      "use that version",
  )
}

/** For whoever has opened a file for a moment. */
export const connectionOf = (database: Libsql.Database): Connection => new LibsqlConnection(database)

class LibsqlConnection implements Connection {
  readonly #database: Libsql.Database
  readonly #statements = new Map<string, Libsql.Statement>()
  /** Of statements whose rows come as arrays. */
  readonly #valued = new Map<string, Libsql.Statement>()
  /** Bytes that statements were given to write since the file was opened, about. Rises with each statement that writes. */
  written = 0

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

  values(sql: string, parameters: readonly SqlValue[] = []): readonly any[] | undefined {
    let statement = this.#valued.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql).safeIntegers(true).raw()
      this.#valued.set(sql, statement)
    }
    return (statement.get(parameters as any) as unknown[] | undefined)?.map(withArray)
  }

  run(sql: string, parameters: readonly SqlValue[] = []): number {
    let size = STATEMENT_OVERHEAD
    for (const value of parameters) if (value instanceof Uint8Array) size += value.length
    this.written += size
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

/**
 * Where the disk has no space for the memory that the processes of a write-ahead log share, the file is opened without
 * it, for one connection alone (https://sqlite.org/wal.html#noshm): enough for one process.
 */
function openedFor(options: DatabaseOptions, lockTimeoutMilliseconds: number): Libsql.Database {
  try {
    return configured(opened(options.file), options, lockTimeoutMilliseconds)
  } catch (error) {
    if (codeOf(error) !== "SQLITE_IOERR") throw unavailable(error)
    const database = opened(options.file)
    return available(() => {
      database.exec("PRAGMA locking_mode = EXCLUSIVE")
      return configured(database, options, lockTimeoutMilliseconds)
    })
  }
}

/** Closes the database where it cannot be used. */
function configured(database: Libsql.Database, { sizeMax }: DatabaseOptions, lockTimeoutMilliseconds: number) {
  try {
    database.exec(`PRAGMA busy_timeout = ${lockTimeoutMilliseconds}`)
    database.exec("PRAGMA journal_mode = WAL")
    // No busy timeout of SQLite's own: it would stop the whole process, not only those who wait.
    database.exec("PRAGMA busy_timeout = 0")
    database.exec("PRAGMA synchronous = FULL")
    database.exec("PRAGMA foreign_keys = ON")
    database.exec("PRAGMA secure_delete = ON")
    database.exec(`PRAGMA journal_size_limit = ${WAL_SIZE_KEPT}`)
    if (sizeMax !== undefined) limitTo(database, fileSizeMax(sizeMax))
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** A file that is larger already does not grow. */
function limitTo(database: Libsql.Database, fileSize: number): void {
  const { page_size } = database.prepare("PRAGMA page_size").get() as { page_size: number }
  const pages = Math.max(1, Math.min(PAGES_MAX, Math.floor(fileSize / page_size)))
  database.exec(`PRAGMA max_page_count = ${pages}`)
}

/** SQLite's own limit. */
const PAGES_MAX = 4_294_967_294

/** What is left of a limit when the write-ahead log has had its part. */
const fileSizeMax = (sizeMax: number) => sizeMax - Math.min(WAL_SIZE_MAX, sizeMax / 2)

/** What is left of the write-ahead log after a checkpoint. */
const WAL_SIZE_KEPT = 8 * 1024 * 1024
/** A checkpoint is due every 1,000 pages, 4 MiB; one transaction may come on top of it. */
const WAL_SIZE_MAX = 32 * 1024 * 1024

/** What the binding throws while opening has no code of SQLite's. */
export function opened(file: string, options: Libsql.Options = { timeout: 0 }): Libsql.Database {
  try {
    return new Libsql(file, options)
  } catch (error) {
    throw new StoreUnavailable(
      `the database cannot be opened${mayUse(file) ? "" : ": this user may not read and write it"}`,
      error,
    )
  }
}

/** The binding gives blobs as `Buffer` from one call and as `ArrayBuffer` from another. */
function withArrays(row: Record<string, unknown>): Row {
  for (const name in row) row[name] = withArray(row[name])
  return row
}

function withArray(value: unknown): unknown {
  if (value instanceof Buffer) return new Uint8Array(value.buffer, value.byteOffset, value.length)
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value
}

/** Whether the system lets this user use the file, or make it. */
function mayUse(file: string): boolean {
  try {
    accessSync(existsSync(file) ? file : dirname(file), constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
