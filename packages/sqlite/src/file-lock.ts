import { closeSync, openSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { StoreUnavailable } from "@conclave/delivery/store"
import Libsql from "libsql"

export interface FileLock {
  release(): void
  /** Releases the lock and leaves no file of it, where the system lets an open file be removed. */
  remove(): void
}

/** How long the lock is asked for: two processes that ask at the same moment may each see the other's attempt. */
const ATTEMPT_MILLISECONDS = 100
const ATTEMPTS_MAX = 3

/**
 * Keeps `file` for this process until the lock is released or the process ends, however it ends: the lock is SQLite's
 * own, of the operating system, on the empty file `<file>-lock` beside it. Takes no space on the disk. The process id
 * of the holder is in `<file>-lock.pid`, for messages alone, and in its second line `sizeMax`, where that is given.
 *
 * @throws {StoreUnavailable} when another process has it, or this one already; the message names the process id.
 */
export function lockFile(file: string, sizeMax?: number): FileLock {
  const lock = `${resolved(file)}-lock`
  const pidFile = `${lock}.pid`
  const database = locked(lock, pidFile)
  note(pidFile, sizeMax)
  // Files are removed while the lock is held: afterwards they may be the next holder's.
  const release = (...files: readonly string[]) => {
    if (!database.open) return
    for (const it of files) removeHeld(it)
    database.close()
  }
  return { release: () => release(pidFile), remove: () => release(pidFile, lock) }
}

/**
 * A holder may remove the lock file while this process waits for it, which then has a lock on a file that is gone: nobody
 * else can have the inode's number before this process closes the file.
 */
function locked(lock: string, pidFile: string): Libsql.Database {
  for (let attempt = 1; ; attempt++) {
    makeLockFile(lock)
    const before = inodeOf(lock)
    const database = begun(lock, pidFile)
    // Some file systems of users do not keep the numbers.
    if (attempt === ATTEMPTS_MAX || (before !== undefined && inodeOf(lock) === before)) return database
    database.close()
  }
}

/** So that its inode is known before SQLite opens it. Whatever is wrong, SQLite says. */
function makeLockFile(lock: string): void {
  try {
    // Never one that is there: closing it would end this process's lock on it, see fcntl(2).
    closeSync(openSync(lock, "wx", 0o644))
  } catch {}
}

function inodeOf(file: string): bigint | undefined {
  return statSync(file, { bigint: true, throwIfNoEntry: false })?.ino
}

/** Windows lets no open file be removed: an empty one stays. */
function removeHeld(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {}
}

function begun(lock: string, pidFile: string): Libsql.Database {
  const database = opened(lock)
  try {
    database.exec(`PRAGMA busy_timeout = ${ATTEMPT_MILLISECONDS}`)
    // Never committed, so nothing is written and nothing to recover; without a journal file, which would need space.
    database.exec("PRAGMA journal_mode = MEMORY")
    database.exec("BEGIN EXCLUSIVE")
  } catch (error) {
    database.close()
    if (!isBusy(error)) throw new StoreUnavailable("the file cannot be locked", error)
    throw new StoreUnavailable(`the file is in use by ${holderOf(pidFile)}`, error)
  }
  return database
}

/** One lock for all paths to one file. */
function resolved(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return withoutFile(file)
  }
}

function withoutFile(file: string): string {
  try {
    return join(realpathSync(dirname(file)), basename(file))
  } catch (error) {
    throw new StoreUnavailable("the database cannot be opened", error)
  }
}

function opened(lock: string): Libsql.Database {
  try {
    return new Libsql(lock, { timeout: 0 })
  } catch (error) {
    throw new StoreUnavailable("the file cannot be locked", error)
  }
}

const isBusy = (error: unknown) => String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY")

/** On a full disk there is no room for it: the lock holds without. */
function note(pidFile: string, sizeMax: number | undefined): void {
  try {
    writeFileSync(pidFile, `${process.pid}\n${sizeMax === undefined ? "" : `${sizeMax}\n`}`)
  } catch {
    rmSync(pidFile, { force: true })
  }
}

function holderOf(pidFile: string): string {
  try {
    const [pid = ""] = readFileSync(pidFile, "utf8").split("\n")
    return /^[0-9]+$/.test(pid) ? `process ${pid}` : "another process"
  } catch {
    return "another process"
  }
}

export interface Holder {
  readonly pid: number
  /** The most that it lets the file take, in bytes; `undefined` for no limit. */
  readonly sizeMax: number | undefined
}

/** Who has locked the file, as far as its note says and the process lives; the lock itself is not looked at. */
export function lockHolder(file: string): Holder | undefined {
  try {
    const [pid, sizeMax] = readFileSync(`${resolved(file)}-lock.pid`, "utf8")
      .split("\n")
      .map(Number)
    if (!(Number.isSafeInteger(pid) && pid! > 0 && lives(pid!))) return undefined
    return { pid: pid!, sizeMax: sizeMax! > 0 ? sizeMax : undefined }
  } catch {
    return undefined
  }
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}
