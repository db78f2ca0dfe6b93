import { words } from "../words/words.js"

/** How many have been found so far. */
export function foundWords(count: number, isOver: boolean): string {
  const { search } = words()
  if (count === 0) return isOver ? search.none : search.searching
  return isOver ? search.foundAll(count) : search.foundSoFar(count)
}

/** Where among the matches, the latest first. */
export function positionWords(at: number, count: number, isOver: boolean): string {
  if (count === 0) return isOver ? words().search.notFound : "…"
  return words().search.position(at + 1, `${count}${isOver ? "" : "+"}`)
}
