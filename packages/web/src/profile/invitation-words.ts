import { list, partWords, words } from "../words/words.js"

/** `titles`: of the conversations that the user shares with the inviter, some of them. */
export function acquaintanceWords(titles: readonly string[], more: number): string {
  const { stranger, known, moreTitles } = partWords().invitationPane
  if (titles.length === 0) return stranger
  const shown = titles.map((it) => words().person.quoted(it))
  return known(list([...shown, ...(more > 0 ? [moreTitles(more)] : [])]))
}
