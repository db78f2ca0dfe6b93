import { closeSync, openSync, readSync } from "node:fs"
import { basename } from "node:path"
import { decode } from "@conclave/codec"
import { Evidence } from "@conclave/contracts/evidence"
import { Failure } from "../failure.js"
import { getSystemErrorMessage } from "../system-errors.js"
import { printableLine } from "../terminal/printable.js"
import { words } from "../words/words.js"

/** Enough for the signs of every kind, and to tell text. */
const HEAD_SIZE = 4_096

/** A kind of file that people give to the wrong command. */
interface Kind {
  readonly is: (bytes: Uint8Array, file: string) => boolean
  readonly what: () => string
  /** The command that reads it, and what that is for. */
  readonly read?: { readonly command: string; readonly says: (file: string) => string }
}

const begins =
  (...signs: readonly string[]) =>
  (bytes: Uint8Array) =>
    signs.some((sign) => Buffer.from(bytes.subarray(0, sign.length)).toString("latin1") === sign)

export const isSqlite = begins("SQLite format 3\0")
/** "Cncb" in the header of an SQLite file: `APPLICATION_ID` of backups. */
const isBackup = (bytes: Uint8Array) => Buffer.from(bytes.subarray(68, 72)).toString("latin1") === "Cncb"

/** The first row that applies is told. */
const kinds: readonly Kind[] = [
  {
    is: begins(
      ...["\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d"],
      ...["\x34\xcd\xb2\xa1", "\xa1\xb2\xcd\x34", "\n\r\r\n"],
    ),
    what: () => words().files.capture,
    read: { command: "trace", says: (file) => words().files.traceReads(file) },
  },
  {
    is: (bytes) => isSqlite(bytes) && isBackup(bytes),
    what: () => words().files.backup,
    read: { command: "restore", says: (file) => words().files.restoreReads(file) },
  },
  {
    is: (bytes, file) => isSqlite(bytes) && basename(file) === "service.db",
    what: () => words().files.service,
    read: { command: "admin", says: () => words().files.adminReads },
  },
  {
    is: isSqlite,
    what: () => words().files.sqlite,
    read: { command: "inspect --profile", says: (file) => words().files.inspectReads(file) },
  },
  {
    is: isEvidence,
    what: () => words().files.evidence,
    read: { command: "verify-evidence", says: (file) => words().files.verifyReads(file) },
  },
  { is: begins("\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF8"), what: () => words().files.image },
  { is: begins("%PDF-"), what: () => words().files.pdf },
  {
    is: begins("\x1f\x8b", "PK\x03\x04", "\x28\xb5\x2f\xfd", "\xfd7zXZ\0", "BZh"),
    what: () => words().files.compressed,
  },
  { is: begins("\x7fELF", "MZ"), what: () => words().files.program },
  { is: begins("-----BEGIN "), what: () => words().files.pem },
  { is: isText, what: () => words().files.text },
]

interface Given {
  readonly file: string
  /** The command that was given the file: it is not named as the one that reads it. */
  readonly command: string
  /** What to do where no command reads it. */
  readonly next: string
}

/**
 * What a file seems to be by its first bytes, and what to do: `it seems to be text; give another`. Of bytes that are no known
 * kind, or that could not be read again, what to do alone.
 */
export function seeming(bytes: Uint8Array | undefined, { file, command, next }: Given): string {
  if (bytes === undefined) return next
  if (bytes.length === 0) return words().files.empty(next)
  const kind = kinds.find(({ is }) => is(bytes, file))
  if (kind === undefined) return next
  const reads = kind.read === undefined || kind.read.command === command ? next : kind.read.says(inCommand(file))
  return words().files.seems(kind.what(), reads)
}

/** Whether the bytes are of a kind that has nothing to do with MLS, and not of unknown contents. */
export const isKnownKind = (bytes: Uint8Array, file: string): boolean => kinds.some(({ is }) => is(bytes, file))

/** The first bytes of a file; `undefined` where they cannot be read. */
export function headOf(file: string): Uint8Array | undefined {
  try {
    const descriptor = openSync(file, "r")
    try {
      const head = new Uint8Array(HEAD_SIZE)
      return head.subarray(0, readSync(descriptor, head, 0, HEAD_SIZE, 0))
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return undefined
  }
}

/** Why a file could not be read: the system does not name a folder that was read as a file. `undefined` for other errors. */
export function whyUnread(error: Error & { code?: unknown }, file: string, next: string): Failure | undefined {
  if (error.code === "EISDIR") return new Failure(words().files.folder(printableLine(file), next), { cause: error })
  const reason = getSystemErrorMessage(error)
  return reason === undefined ? undefined : new Failure(printableLine(reason), { cause: error })
}

/** As a shell takes it. */
function inCommand(file: string): string {
  const shown = printableLine(file)
  return /^[\w@%+=:,./~-]+$/.test(shown) ? shown : JSON.stringify(shown)
}

function isEvidence(bytes: Uint8Array): boolean {
  try {
    decode(Evidence, bytes)
    return true
  } catch {
    return false
  }
}

/** Text of people: lines of words. Hexadecimal digits and base64 are lines without spaces. */
function isText(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, HEAD_SIZE), { stream: true })
    const isOfWords = /[^\s\w+/=-]|\S[ \t]+\S/.test(text) && !/^[\da-f\s]+$/i.test(text)
    return isOfWords && !/\p{Cc}/u.test(text.replace(/\s/g, ""))
  } catch {
    return false
  }
}
