import { readFileSync } from "node:fs"
import type { SharedSealing } from "@conclave/server"
import { optional } from "../arguments.js"
import { explain, Failure, UsageError } from "../failure.js"
import { nonEmpty } from "../options.js"
import type { Terminal } from "../terminal/terminal.js"
import { english, words } from "../words/words.js"

/** Gives the secret itself, where no file does. */
const SECRET_VARIABLE = "CONCLAVE_FAST_OPEN_SECRET"

export const keysOption = optional({
  placeholder: "WHOSE",
  read(text: string): "own" | "shared" {
    if (text === "own" || text === "shared") return text
    throw new UsageError(words().values.ownOrShared)
  },
})
export const secretOption = optional({
  placeholder: "FILE",
  read: nonEmpty("file"),
})

export interface SharingChoice {
  readonly "fast-open": boolean
  readonly "fast-open-keys": "own" | "shared" | undefined
  readonly "fast-open-secret": string | undefined
  readonly database: string | undefined
}

/**
 * 32 bytes where the keys are shared.
 *
 * Throws {@link UsageError} for options that do not go together, and {@link Failure} for a secret that cannot be read.
 */
export function sharedSecret(choice: SharingChoice, environment: NodeJS.ProcessEnv): Uint8Array | undefined {
  const { "fast-open-keys": keys, "fast-open-secret": file, database } = choice
  if (keys !== undefined && !choice["fast-open"]) {
    throw new UsageError(words().serve.keysWithoutFastOpen)
  }
  if (keys !== "shared") {
    if (file === undefined) return undefined
    throw new UsageError(words().serve.secretWithoutShared)
  }
  if (database === undefined) {
    throw new UsageError(words().serve.sharedWithoutDatabase)
  }
  if (file !== undefined) return secretIn(read(file), file)
  const given = environment[SECRET_VARIABLE]
  if (given === undefined || given === "") {
    throw new UsageError(words().serve.sharedWithoutSecret(SECRET_VARIABLE))
  }
  return secretIn(given, SECRET_VARIABLE)
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    throw new Failure(`${file}: ${explain(error).reason}`, { cause: error })
  }
}

/** Without quoting it: it may be all but right. */
function secretIn(text: string, from: string): Uint8Array {
  const digits = text.trim()
  if (/^[0-9a-f]{64}$/i.test(digits)) return Uint8Array.from(Buffer.from(digits, "hex"))
  throw new Failure(words().serve.notASecret(from))
}

/** What shared keys are told of, once for each change: lines of the log, which are in English everywhere. */
export function sharing(secret: Uint8Array, { tell }: Terminal): SharedSealing {
  const now = () => new Date().toISOString()
  return {
    secret,
    onRegisterLost: (error) =>
      tell(
        `${now()} the strike register is away: sealed requests take a round trip more (${explain(error, english).reason})`,
      ),
    onRegisterRegained: () => tell(`${now()} the strike register answers again`),
    onKeysLost: (error) =>
      tell(`${now()} the keys for sealed requests cannot be looked at: ${explain(error, english).reason}`),
  }
}
