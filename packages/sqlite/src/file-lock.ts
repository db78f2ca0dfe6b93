import { readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { StoreUnavailable } from "@conclave/delivery/store"
import Libsql from "libsql"

export interface FileLock {
  release(): void
}

/** How long the lock is asked for: two processes that ask at the same moment may each see the other's attempt. */
const ATTEMPT_MILLISECONDS = 100

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
  note(pidFile, sizeMax)
  return {
    release() {
      if (!database.open) return
      // First, while the lock is held: afterwards the file may be the next holder's.
      rmSync(pidFile, { force: true })
      database.close()
    },
  }
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
