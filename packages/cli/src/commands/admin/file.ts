import { existsSync, realpathSync, statSync } from "node:fs"
import { userInfo } from "node:os"
import { type Action, OperatorFile } from "@conclave/sqlite"
import { whyUnusable } from "../../causes/service-file.js"
import { dataFolder, serviceFile } from "../../data-folder.js"
import { Failure, UsageError } from "../../failure.js"
import { dataOption } from "../../options.js"

export const adminOptions = { data: dataOption }

const REASON_LENGTH_MAX = 200

/** One line that can be shown. */
export function reason(text: string): string {
  const trimmed = text.trim()
  if (trimmed === "" || trimmed.length > REASON_LENGTH_MAX || /\p{C}/u.test(trimmed)) {
    throw new UsageError(`must be a reason: one line of 1 to ${REASON_LENGTH_MAX} characters`)
  }
  return trimmed
}

interface Opening {
  readonly readonly: boolean
}

/** The service's file, for `work`. Throws {@link Failure} with one sentence for whatever is in the way. */
export function withFile<T>(
  data: string | undefined,
  { readonly }: Opening,
  work: (file: OperatorFile, path: string) => T,
): T {
  const folder = dataFolder(data)
  const path = serviceFile(folder)
  if (!existsSync(path)) throw new Failure(`there is no service in ${folder}: ${path} does not exist`)
  const before = statSync(path)
  // Files that another user's process makes beside it would be in the service's way.
  if (process.getuid !== undefined && before.uid !== process.getuid()) {
    throw new Failure(`${path} belongs to another user of this system: run this as its owner`)
  }
  try {
    using file = new OperatorFile(realpathSync(path), { readonly })
    const value = work(file, path)
    const after = statSync(path)
    if (!readonly && (after.ino !== before.ino || after.dev !== before.dev)) {
      throw new Failure(`${path} was replaced by a restore in this moment: do it again`)
    }
    return value
  } catch (error) {
    const isUnavailable = (error as Error).name === "StoreUnavailable"
    throw isUnavailable ? whyUnusable(path, error) : error
  }
}

/** The user of the system who does it, and whose name that user has taken on. */
export function userOfSystem(environment: NodeJS.ProcessEnv): Action["user"] {
  const { username } = userInfo()
  const by = environment.SUDO_USER?.replace(/\p{C}/gu, "?").slice(0, 100)
  return by === undefined || by === "" ? username : `${by} as ${username}`
}
