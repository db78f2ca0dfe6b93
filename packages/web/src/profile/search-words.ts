import { shortTime } from "./time.js"

/** What stands on the page around searching. */
export const searchWords = {
  search: "Search",
  field: "Search messages on this device",
  found: "What was found",
  results: "Messages found",
  searching: "Searching…",
  none: "No message on this device has all of these words.",
  hint: "Only what is on this device is searched. Nothing is sent.",
  conversations: "Conversations",
  messages: "Messages",
  find: "Find in this conversation",
  earlier: "Earlier match",
  later: "Later match",
  close: "Close",
  you: "You",
}

/** How many have been found so far. */
export function foundWords(count: number, isOver: boolean): string {
  if (count === 0) return isOver ? searchWords.none : searchWords.searching
  const found = `${count} ${count === 1 ? "message" : "messages"}`
  return isOver ? `${found}.` : `${found} so far…`
}

/** Where among the matches, the latest first. */
export function positionWords(at: number, count: number, isOver: boolean): string {
  if (count === 0) return isOver ? "Not found" : "…"
  return `${at + 1} of ${count}${isOver ? "" : "+"}`
}

export function whenWords(at: Date): string {
  return shortTime(at)
}
