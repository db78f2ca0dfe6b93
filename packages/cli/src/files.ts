import { closeSync, constants, copyFileSync, fsyncSync, linkSync, openSync } from "node:fs"
import { dirname } from "node:path"
import { words } from "./words/words.js"

/**
 * Gives `file` a second name, which must not exist (`EEXIST`), so that a rename over `file` leaves it there. Where the file
 * system has no links, the second name gets a copy.
 */
export function keepAs(file: string, name: string): void {
  try {
    linkSync(file, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error
    copyFileSync(file, name, constants.COPYFILE_EXCL)
  }
}

/** Makes what was renamed in the folder of `file` durable. */
export function syncFolderOf(file: string): void {
  // Windows opens no folders.
  if (process.platform === "win32") return
  const folder = openSync(dirname(file), "r")
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** How long ago something was, in words. */
export function ageOf(at: number, now = Date.now()): string {
  const minutes = Math.floor((now - at) / 60_000)
  const { future, ago, justNow } = words().units
  if (minutes < 0) return future
  for (const [size, unit] of units) {
    const number = Math.floor(minutes / size)
    if (number > 0) return ago(number, unit)
  }
  return justNow
}

const units = [
  [1440, "day"],
  [60, "hour"],
  [1, "minute"],
] as const

/** In UTC, to the second. */
export const timeOf = (at: number): string => words().units.time(at)
