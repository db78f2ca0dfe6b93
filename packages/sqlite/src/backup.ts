import { createHash } from "node:crypto"
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs"
import type { Sha256 } from "@conclave/contracts/log-chain"
import { type Store, StoreUnavailable } from "@conclave/delivery/store"
import { authStore } from "./auth/store.js"
import { available } from "./conditions.js"
import { type Database, openDatabase, opened } from "./database.js"
import { deliveryStore } from "./delivery/store.js"

/**
 * What a backup holds beside the database.
 *
 * ```
 *   backup  =  SQLite file (application id "Cncb", table `backup`)  ||  SHA-256 of that file, 32 bytes
 * ```
 *
 * SQLite reads as many pages as its header counts and passes over the hash.
 */
export interface Backup {
  /** When the copy began, in milliseconds since 1970. */
  readonly at: number
  /** What the caller keeps outside of the database. */
  readonly attached: Uint8Array | undefined
}

/** "Cncb"; an SQLite file has it at offset 68 (https://sqlite.org/fileformat.html). */
const APPLICATION_ID = 0x43_6e_63_62
const BACKUP_VERSION = 1
const DIGEST_SIZE = 32
const HEADER_SIZE = 100
const CHUNK_SIZE = 1 << 20
/** A service that starts or ends at this moment has locks of a few milliseconds. */
const LOCK_TIMEOUT_MILLISECONDS = 5_000

interface Writing extends Backup {
  /** The database: one that another process may be writing. It is only read. */
  readonly file: string
  /** The backup, which must not exist. It is made for its owner alone (mode 0600). */
  readonly to: string
}

/**
 * Writes a backup of what is committed in `file` at one moment. Takes no lock that a writer waits for, but the write-ahead
 * log grows meanwhile. When it returns, the backup is on the disk.
 *
 * @throws {StoreUnavailable} when the database cannot be read or the copy cannot be written.
 * @throws the system's error when `to` cannot be made; then nothing is there. After other errors the caller deletes `to`.
 */
export function writeBackup({ file, to, at, attached }: Writing): void {
  // SQLite takes an empty file for one that it may fill, and leaves its mode.
  closeSync(openSync(to, "wx", 0o600))
  const database = opened(file, { readonly: true, timeout: LOCK_TIMEOUT_MILLISECONDS } as object)
  try {
    available(() => database.exec(`VACUUM INTO '${to.replaceAll("'", "''")}'`))
  } finally {
    database.close()
  }
  describe(to, { at, attached })
  appendDigest(to)
}

function describe(file: string, { at, attached }: Backup): void {
  const copy = opened(file)
  const blob = attached === undefined ? "NULL" : `x'${Buffer.from(attached).toString("hex")}'`
  try {
    available(() =>
      copy.exec(`
        PRAGMA application_id = ${APPLICATION_ID};
        CREATE TABLE backup (version INTEGER NOT NULL, at INTEGER NOT NULL, attached BLOB) STRICT;
        INSERT INTO backup VALUES (${BACKUP_VERSION}, ${at}, ${blob});
      `),
    )
  } finally {
    copy.close()
  }
}

function appendDigest(file: string): void {
  const descriptor = openSync(file, "r+")
  try {
    const { size } = fstatSync(descriptor)
    const hash = createHash("sha256")
    for (const chunk of chunksOf(descriptor, size)) hash.update(chunk)
    writeSync(descriptor, hash.digest(), 0, DIGEST_SIZE, size)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Checks the backup `file` and writes the database in it to `to`, which must not exist, for its owner alone. The tables
 * are as old as the backup: the stores migrate them.
 *
 * @throws {StoreUnavailable} when `file` is no backup, or was cut, added to, changed, or written by a later version.
 * @throws the system's error when `file` cannot be read or `to` not be written. After errors the caller deletes `to`.
 */
export function unpackBackup(file: string, to: string): Backup {
  const descriptor = openSync(file, "r")
  try {
    copyChecked(descriptor, to)
  } finally {
    closeSync(descriptor)
  }
  const database = opened(to)
  try {
    return available(() => {
      const check = database.prepare("PRAGMA integrity_check(1)").get() as { integrity_check: string }
      if (check.integrity_check !== "ok") throw new StoreUnavailable("the backup is damaged")
      const backup = describedIn(database)
      // What is restored is announced, so that it may be served even after a move.
      database.exec(
        "PRAGMA secure_delete = ON; DROP TABLE backup; DROP TABLE IF EXISTS moved; PRAGMA application_id = 0",
      )
      return backup
    })
  } finally {
    database.close()
  }
}

function copyChecked(descriptor: number, to: string): void {
  const { size } = fstatSync(descriptor)
  const databaseSize = databaseSizeOf(descriptor)
  if (size < databaseSize + DIGEST_SIZE) throw new StoreUnavailable("the backup is cut: its end is missing")
  if (size > databaseSize + DIGEST_SIZE) throw new StoreUnavailable("the backup has something after its end")
  const copy = openSync(to, "wx", 0o600)
  try {
    const hash = createHash("sha256")
    for (const chunk of chunksOf(descriptor, databaseSize)) {
      hash.update(chunk)
      for (let written = 0; written < chunk.length; ) written += writeSync(copy, chunk, written)
    }
    const digest = Buffer.alloc(DIGEST_SIZE)
    readSync(descriptor, digest, 0, DIGEST_SIZE, databaseSize)
    if (!hash.digest().equals(digest)) throw new StoreUnavailable("the backup is damaged")
  } finally {
    closeSync(copy)
  }
}

/** From the header: https://sqlite.org/fileformat.html#the_database_header. */
function databaseSizeOf(descriptor: number): number {
  const header = Buffer.alloc(HEADER_SIZE)
  readSync(descriptor, header, 0, HEADER_SIZE, 0)
  const isDatabase = header.toString("latin1", 0, 16) === "SQLite format 3\0"
  if (!isDatabase || header.readUInt32BE(68) !== APPLICATION_ID) {
    throw new StoreUnavailable("the file is no backup of a service")
  }
  const pageSize = header.readUInt16BE(16)
  return (pageSize === 1 ? 65_536 : pageSize) * header.readUInt32BE(28)
}

function describedIn(database: ReturnType<typeof opened>): Backup {
  const row = database.prepare("SELECT version, at, attached FROM backup").get()
  const { version, at, attached } = row as { version: number; at: number; attached: Buffer | null }
  if (version !== BACKUP_VERSION) {
    throw new StoreUnavailable("the backup was written by a later version of Conclave: use that version")
  }
  return { at, attached: attached === null ? undefined : Uint8Array.from(attached) }
}

/** The first `size` bytes of a file. Each chunk is overwritten by the next. */
function* chunksOf(descriptor: number, size: number): Generator<Buffer> {
  const chunk = Buffer.alloc(CHUNK_SIZE)
  for (let position = 0; position < size; ) {
    const length = readSync(descriptor, chunk, 0, Math.min(CHUNK_SIZE, size - position), position)
    if (length === 0) throw new StoreUnavailable("the file became shorter while it was read")
    yield chunk.subarray(0, length)
    position += length
  }
}

/**
 * Brings the tables of an unpacked backup up to date, lets `work` change what the Delivery Service has in it, and leaves
 * the file complete without a write-ahead log, so that it can be renamed.
 *
 * @throws {StoreUnavailable} when the file was written by a later version, or cannot be used.
 */
export async function updateUnpacked<T>(file: string, sha256: Sha256, work: (store: Store) => Promise<T>): Promise<T> {
  await using database = openDatabase({ file })
  authStore(database)
  const result = await work(deliveryStore(database, sha256))
  standAlone(database)
  return result
}

/** Brings the write-ahead log of an open database into its file for good: after closing, the file can be renamed. */
export function standAlone(database: Database): void {
  database.read((connection) => connection.all("PRAGMA journal_mode = DELETE"))
}

/**
 * Brings the write-ahead log of a file that no process has open into the file, so that the file can be renamed; the caller
 * holds its lock. Returns the incarnation that the Delivery Service has in it, 0 where it has none, `undefined` where the
 * file is damaged or no database.
 *
 * @throws {StoreUnavailable} when the file cannot be used for another reason, for example as a program has it open.
 */
export function settleFile(file: string): bigint | undefined {
  const database = opened(file, { timeout: LOCK_TIMEOUT_MILLISECONDS } as object)
  try {
    return available(() => settle(database))
  } catch (error) {
    if (isDamage((error as Error).cause)) return undefined
    throw error
  } finally {
    database.close()
  }
}

function settle(database: ReturnType<typeof opened>): bigint {
  const mode = database.prepare("PRAGMA journal_mode = DELETE").get() as { journal_mode: string }
  if (mode.journal_mode !== "delete") throw new StoreUnavailable("a program has the file open")
  const known = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'identity'").get()
  if (known === undefined) return 0n
  const row = database.prepare("SELECT incarnation FROM identity").safeIntegers(true).get()
  return (row as { incarnation: bigint } | undefined)?.incarnation ?? 0n
}

const isDamage = (error: unknown) =>
  /^SQLITE_(CORRUPT|NOTADB)/.test(String((error as { code?: unknown } | undefined)?.code))
