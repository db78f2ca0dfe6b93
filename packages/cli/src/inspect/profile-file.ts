import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { Failure } from "../failure.js"
import { printableLine } from "../terminal/printable.js"
import { words } from "../words/words.js"

const PROFILE_ENDING = ".db"
/** Where a data folder has its profiles: see `profilePlace`. */
const PROFILES = "profiles"
const NAMED_MAX = 10

/**
 * The file of the profile that is meant: the file itself, or the only profile in a folder, which is a data folder or the
 * folder of one service in it.
 *
 * @throws {Failure} when nothing is there, no profile is in the folder, or several are
 */
export function findProfileFile(given: string): string {
  const shown = printableLine(given)
  const found = statSync(given, { throwIfNoEntry: false })
  if (found === undefined) throw new Failure(words().looking.nothingThere(shown))
  if (!found.isDirectory()) return given
  const profiles = profilesIn(given)
  const [only, ...others] = profiles
  if (only === undefined) throw new Failure(words().looking.noProfileIn(shown))
  if (others.length === 0) return only
  const named = profiles.slice(0, NAMED_MAX).map(printableLine).join(", ")
  throw new Failure(words().looking.severalProfiles(shown, profiles.length, named, profiles.length - NAMED_MAX))
}

function profilesIn(folder: string): readonly string[] {
  const below = join(folder, PROFILES)
  const isDataFolder = statSync(below, { throwIfNoEntry: false })?.isDirectory() === true
  const folders = isDataFolder ? readdirSync(below).map((service) => join(below, service)) : [folder]
  return folders
    .filter((it) => statSync(it).isDirectory())
    .flatMap((it) => readdirSync(it).map((name) => join(it, name)))
    .filter((file) => file.endsWith(PROFILE_ENDING) && statSync(file).isFile())
    .sort()
}
