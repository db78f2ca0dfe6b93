import { words } from "../words/words.js"
import type { LinkWarning } from "./links.js"
import { isolated, shownTitle } from "./words.js"

/** The pill above the end: how much is new below. */
export function newWords(count: number): { readonly short: string; readonly full: string } {
  const { messages } = words()
  return count === 0 ? { short: messages.latest, full: messages.latestFull } : messages.new(count)
}

/** Why a link has to be looked at before it is followed. */
export function linkWarningWords(warning: LinkWarning, host: string): string {
  const { messages } = words()
  if (warning.code === "userinfo") return messages.leadsTo(host)
  const isPlain = /^[\x21-\x7e]*$/.test(warning.typed)
  return isPlain ? messages.otherAlphabets : messages.notPlain(isolated(shownTitle(warning.typed)))
}
