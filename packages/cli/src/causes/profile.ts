import { accessSync, constants } from "node:fs"
import { dirname } from "node:path"
import type { ClientError } from "@conclave/client/node"
import { explain } from "../failure.js"
import { holderOf } from "../system/locks.js"
import { isNetworkFileSystem, mountOf } from "../system/mounts.js"
import { words } from "../words/words.js"
import { causesOf } from "./service.js"

interface Kept {
  readonly as: string
  /** The profile's. */
  readonly file: string
}

/** Why the profile is not given to this process, and what to do about that: one line. */
export function whyLocked({ as, file }: Kept): string {
  const holder = holderOf(file)
  const { running, networkDrive, noLocks } = words().profile
  if (holder !== undefined) return running(as, holder)
  const mount = mountOf(file)
  if (mount !== undefined && isNetworkFileSystem(mount.type)) {
    return networkDrive(as, mount.type)
  }
  // Where locks cannot be read, as on macOS and Windows, or the process is in another container.
  return process.platform === "linux" ? noLocks(as) : running(as, undefined)
}

/** Why the file of the profile cannot be used, and what to do about that: one line. */
export function whyFailed(error: ClientError, { as, file }: Kept): string {
  const said = words().profile
  const codes = new Set(causesOf(error).flatMap(({ code }) => (typeof code === "string" ? [code] : [])))
  const is = (...known: readonly string[]) =>
    [...codes].some((code) => known.some((it) => code === it || code.startsWith(`${it}_`)))
  if (is("SQLITE_NOTADB", "SQLITE_CORRUPT")) {
    return said.damaged(as, file)
  }
  if (is("SQLITE_FULL", "ENOSPC", "EDQUOT")) {
    return said.full(as, dirname(file))
  }
  if (is("SQLITE_READONLY", "EROFS") || (isUnopened(error) && !isWritable(dirname(file)))) {
    return said.readOnly(as, file)
  }
  if (is("SQLITE_IOERR")) {
    return said.diskError(as, explain(error).reason)
  }
  return explain(error).reason
}

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
