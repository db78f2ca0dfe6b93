import { accessSync, constants } from "node:fs"
import { dirname } from "node:path"
import type { ClientError } from "@conclave/client/node"
import { explain } from "../failure.js"
import { type Holder, holderOf } from "../system/locks.js"
import { isNetworkFileSystem, mountOf } from "../system/mounts.js"
import { causesOf } from "./service.js"

interface Kept {
  readonly as: string
  /** The profile's. */
  readonly file: string
}

/** Why the profile is not given to this process, and what to do about that: one line. */
export function whyLocked({ as, file }: Kept): string {
  const holder = holderOf(file)
  if (holder !== undefined) return `another conclave is running as ${as}${inWords(holder)}; end it first`
  const mount = mountOf(file)
  if (mount !== undefined && isNetworkFileSystem(mount.type)) {
    return (
      `the profile of ${as} is on a network drive (${mount.type}), which gives no lock, or another machine has it open; ` +
      "keep profiles on a disk of this machine (--data)"
    )
  }
  // Where locks cannot be read, as on macOS and Windows, or the process is in another container.
  return process.platform === "linux"
    ? `the profile of ${as} cannot be locked, and no process here has it open; does its file system know locks, or does a container use it?`
    : `another conclave is running as ${as}; end it first`
}

function inWords({ pid, command }: Holder): string {
  return ` (process ${pid}${command === "" ? "" : `: ${command}`})`
}

/** Why the file of the profile cannot be used, and what to do about that: one line. */
export function whyFailed(error: ClientError, { as, file }: Kept): string {
  const codes = new Set(causesOf(error).flatMap(({ code }) => (typeof code === "string" ? [code] : [])))
  const is = (...known: readonly string[]) =>
    [...codes].some((code) => known.some((it) => code === it || code.startsWith(`${it}_`)))
  if (is("SQLITE_NOTADB", "SQLITE_CORRUPT")) {
    return `the profile of ${as} is damaged (${file}); move it away, and register under another name: ${NO_COPIES}`
  }
  if (is("SQLITE_FULL", "ENOSPC", "EDQUOT")) {
    return `the disk with the profile of ${as} is full (${dirname(file)}); make room there, nothing is lost`
  }
  if (is("SQLITE_READONLY", "EROFS") || (isUnopened(error) && !isWritable(dirname(file)))) {
    return `the profile of ${as} is read only (${file}); allow this user to write there, or choose another folder with --data`
  }
  if (is("SQLITE_IOERR")) {
    return `the disk with the profile of ${as} reports an error (${explain(error).reason}); conclave doctor tests it`
  }
  return explain(error).reason
}

const NO_COPIES = "an older copy would use keys twice"

/** SQLite's code 14 (SQLITE_CANTOPEN), of which the binding tells in its message alone. */
const isUnopened = (error: ClientError) => causesOf(error).some(({ message }) => /: 14"/.test(message))

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
