import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const named = process.env.CONCLAVE_VECTORS
const folder = named ?? fileURLToPath(new URL("../../../../../../shared/vectors/mls", import.meta.url))

/** Why the official vectors cannot be looked at, if so. */
export const leftOut = existsSync(folder)
  ? undefined
  : `there is no folder ${named ?? "../shared/vectors/mls"}: clone github.com/mlswg/mls-implementations ` +
    "and set CONCLAVE_VECTORS to its folder test-vectors"

/** Where the vectors must be there, a test that needs them fails without them; elsewhere it is skipped and says why. */
export const officialVectors =
  leftOut === undefined || process.env.CONCLAVE_VECTORS_REQUIRED === "1" ? {} : { skip: leftOut }

/** The cases of one file. */
export function load(name: string): any[] {
  if (leftOut !== undefined) throw new Error(leftOut)
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"))
}
