import { main } from "./en/main.js"
import type { Language, PartWords, Words } from "./form.js"

/** What is spoken: a language, and the reader's form of it, as `de-AT`: see {@link locale}. */
interface Spoken {
  readonly language: Language
  readonly locale: string
}

let inUse: Words = main
let inParts: PartWords | undefined
let spoken: Spoken = { language: "en", locale: "en" }
/** What was asked for last: a file that comes late changes nothing. */
let wanted: Spoken = spoken
const listeners = new Set<() => void>()

/** The catalogue in use. To be asked whenever something is drawn or said, never kept. */
export function words(): Words {
  return inUse
}

/** The catalogue of the parts. @throws TypeError before {@link loadPartWords} has resolved once */
export function partWords(): PartWords {
  if (inParts === undefined) throw new TypeError("the words of the parts are not loaded")
  return inParts
}

/** Of times, dates and numbers: a tag of BCP 47. */
export function locale(): string {
  return spoken.locale
}

export function language(): Language {
  return spoken.language
}

/** A part is drawn after this. Rejects where the file does not come. */
export async function loadPartWords(): Promise<void> {
  const loaded = inParts ?? (await import("./en/parts.js")).parts
  // Another language has brought its own meanwhile.
  inParts ??= loaded
}

/** Speaks so from now on, and has the page drawn again. Rejects, and changes nothing, where the words do not come. */
export async function speak(asked: Spoken): Promise<void> {
  wanted = asked
  const [newMain, newParts] = await catalogues(asked.language)
  if (wanted !== asked) return
  inUse = newMain
  inParts = newParts
  spoken = asked
  for (const listener of listeners) listener()
}

async function catalogues(of: Language): Promise<readonly [main: Words, parts: PartWords | undefined]> {
  if (of === "de") {
    const { main, parts } = await import("./de/all.js")
    return [main, parts]
  }
  // Where parts are open, theirs have to come, too.
  return [main, inParts && (await import("./en/parts.js")).parts]
}

/** Calls `listener` after each change of the language. Returns how it ends. */
export function onLanguage(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** "alice", "alice and bob", "alice, bob and carol". */
export function list(items: readonly string[]): string {
  return new Intl.ListFormat(inUse.lists).format(items)
}
