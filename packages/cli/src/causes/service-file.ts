import { realpathSync } from "node:fs"
import { lockHolder } from "@conclave/sqlite"
import { explain, Failure } from "../failure.js"
import { holderOf, inWords } from "../system/locks.js"
import { english, words } from "../words/words.js"

/** A `StoreUnavailable` of the service's file, in words: of a file that is locked, who has it. */
export function whyUnusable(file: string, error: unknown): Failure {
  if (!/^the database is locked|^a program has the file open/.test(explain(error, english).reason)) {
    return new Failure(`${file}: ${explain(error).reason}`, { cause: error })
  }
  const { otherProgram, process, usedBy } = words().files
  const holder = lockedBy(file)
  const whose = holder === undefined ? otherProgram : process(holder)
  return new Failure(usedBy(file, whose), { cause: error })
}

/** Who writes, or has it open: SQLite locks the file, or in WAL mode the file beside it. */
function lockedBy(file: string): string | undefined {
  const path = real(file)
  for (const it of [`${path}-shm`, path]) {
    const holder = holderOf(it, "WRITE")
    if (holder !== undefined) return inWords(holder)
  }
  const holder = holderOf(path) ?? holderOf(`${path}-shm`)
  return holder === undefined ? lockHolder(path)?.pid.toString() : inWords(holder)
}

function real(file: string): string {
  try {
    return realpathSync(file)
  } catch {
    return file
  }
}
