import { getSystemErrorMessage } from "./system-errors.js"
import type { Words } from "./words/form.js"
import { words } from "./words/words.js"

export const exitCodes = { done: 0, failed: 1, usage: 2, nothingArrived: 3, notAllRead: 4 } as const

/** The command line is wrong. The message is one line, without the command's name. */
export class UsageError extends Error {
  override readonly name = "UsageError"
}

/** Something that can happen to anybody, in words for the person at the terminal: one line. */
export class Failure extends Error {
  override readonly name = "Failure"
  readonly exitCode: number

  constructor(message: string, options: { readonly cause?: unknown; readonly exitCode?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = options.exitCode ?? exitCodes.failed
  }
}

/** One line for a person, whatever was thrown; `said`: in whose words. What is not expected is a defect of this program. */
export function explain(error: unknown, said = words()): { readonly reason: string; readonly isExpected: boolean } {
  if (error instanceof UsageError || error instanceof Failure) return { reason: error.message, isExpected: true }
  if (!(error instanceof Error)) return { reason: oneLine(String(error)), isExpected: false }
  const missing = missingPackage(error, said)
  if (missing !== undefined) return { reason: missing, isExpected: true }
  const system = getSystemErrorMessage(error, said)
  if (system !== undefined) return { reason: system, isExpected: true }
  // Errors of the project's packages have a name and a code, and a message that can be read by itself.
  const isOurs = ["ClientError", "StoreUnavailable", "TransportError", "CaptureError"].includes(error.name)
  const message = oneLine(error.message || error.name)
  return { reason: isOurs ? said.causes.told(message, codeOf(error)) : message, isExpected: isOurs }
}

/** Of a package that is not installed, or not for this system: both ways of loading have a code of their own. */
function missingPackage(error: Error & { code?: unknown }, { causes }: Words): string | undefined {
  if (error.code !== "ERR_MODULE_NOT_FOUND" && error.code !== "MODULE_NOT_FOUND") return undefined
  const name = /Cannot find (?:package|module) '(@[\w.-]+\/[\w.-]+|[\w.-]+)'/.exec(error.message)?.[1]
  return name && causes.noPackage(name)
}

const codeOf = ({ name, code }: Error & { code?: unknown }) =>
  name === "ClientError" && typeof code === "string" ? code : undefined

const oneLine = (text: string) => text.replace(/\s*\n\s*/g, " ")
