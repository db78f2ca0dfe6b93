import { ClientError, isName, judgeDisplayName, judgeName, normalizeName } from "@conclave/client/browser"
import { sentence } from "../words/sentence.js"
import { words } from "../words/words.js"
import { quoted } from "./words.js"

/**
 * The name under which this browser speaks, so that a reload goes on with it. It is kept from the moment it is chosen:
 * whether the service has it already is known only after asking.
 */
export interface ChosenName {
  readonly name: string
  /** What others are to see beside it, as it was chosen with the name; empty for nothing. */
  readonly displayName: string
  /** The service has confirmed it. */
  readonly registered: boolean
}

const KEY = "conclave.name"

export function readChosenName(): ChosenName | undefined {
  try {
    const { name, displayName, registered } = JSON.parse(localStorage.getItem(KEY) ?? "null") ?? {}
    if (typeof name !== "string" || !isName(name)) return undefined
    const isUsable = typeof displayName === "string" && displayNameProblem(displayName) === undefined
    return { name, displayName: isUsable ? displayName : "", registered: registered === true }
  } catch {
    return undefined
  }
}

/** @throws {ClientError} `STORE_FAILED` where the browser keeps nothing */
export function keepChosenName(chosen: ChosenName): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(chosen))
  } catch (error) {
    throw new ClientError("STORE_FAILED", error instanceof Error ? error.name : String(error), error)
  }
}

/** The name that this browser is a device of by now. Where it cannot be kept, it is asked for again. */
export function keepTakenName(chosen: Omit<ChosenName, "registered">): void {
  try {
    keepChosenName({ ...chosen, registered: true })
  } catch {
    // Nothing else depends on it.
  }
}

/** Where that does not work, it is asked for again at the next start. */
export function forgetChosenName(): void {
  try {
    localStorage.removeItem(KEY)
  } catch {}
}

/** Why a name, as {@link normalizeName} returns it, cannot be one, in sentences; or `undefined`. */
export function nameProblem(name: string): string | undefined {
  const fault = judgeName(name)
  return fault && inSentences(words().person.nameFault(fault))
}

/** Why a text cannot be a display name, in sentences; `undefined` where it can, and for the empty text. */
export function displayNameProblem(text: string): string | undefined {
  const fault = text.trim() === "" ? undefined : judgeDisplayName(text).why
  return fault && inSentences(words().person.displayNameFault(fault))
}

/** Names in a field that takes several, separated by commas or spaces: no name contains either. */
export function typedNames(text: string): readonly string[] {
  return [
    ...new Set(
      text
        .split(/[\s,;]+/u)
        .map(normalizeName)
        .filter(Boolean),
    ),
  ]
}

/** Which of several names cannot be any, and why, in sentences; or `undefined`. */
export function namesProblem(names: readonly string[]): string | undefined {
  const wrong = names.flatMap((name) => {
    const why = nameProblem(name)
    return why === undefined ? [] : [`${quoted(name)}: ${why}`]
  })
  return wrong.length === 0 ? undefined : wrong.join(" ")
}

function inSentences(fault: string): string {
  // What is wrong, and after it what "a name has" or "a display name has", in each language.
  return fault
    .split(/; (?=a |ein )/)
    .map(sentence)
    .join(" ")
}
