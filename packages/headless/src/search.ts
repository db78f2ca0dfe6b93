import type { Client } from "@conclave/client"
import type { Kept } from "./kept.js"

/** A message in which all words of a search were found. */
export interface SearchHit {
  readonly conversation: string
  readonly seq: number
  readonly from: string
  readonly own: boolean
  readonly sentAt: Date
  readonly text: string
  /** Where the words are, by UTF-16 code units, in their order and apart. */
  readonly matches: readonly (readonly [start: number, end: number])[]
}

export interface SearchOptions {
  /** In this conversation alone. */
  readonly conversation?: string
  /** Ends the search. */
  readonly signal?: AbortSignal
}

/** So many messages are read in one turn of the event loop. */
const PAGE_SIZE = 100

/**
 * The messages on this device that contain every word, latest first within each conversation, in the order of `ids`. Upper
 * and lower case, and marks above and below letters, are not told apart. Others get a turn after each page.
 */
export async function* search(
  { client, kept }: { readonly client: Client; readonly kept: Kept },
  words: string,
  { ids, signal }: { readonly ids: readonly string[]; readonly signal: AbortSignal | undefined },
): AsyncGenerator<SearchHit> {
  const wanted = [...new Set(folded(words).text.split(/\s+/u).filter(Boolean))]
  if (wanted.length === 0) return
  for (const id of ids) {
    const deletedUpTo = kept.get("flags", id)?.deletedUpTo ?? -1
    let before: number | undefined
    for (;;) {
      // Another turn: of the event loop, not only of the promises.
      await new Promise((resolve) => setTimeout(resolve, 0))
      if (isAborted(signal)) return
      const options = { limit: PAGE_SIZE, ...(before !== undefined && { before }) }
      const page = (await client.conversations.get(id)?.history(options)) ?? []
      for (const { seq, from, own, sentAt, text } of [...page].reverse()) {
        if (seq <= deletedUpTo || text === undefined || (!own && kept.get("blocked", from) !== undefined)) continue
        const matches = matchesIn(text, wanted)
        if (matches !== undefined) yield { conversation: id, seq, from, own, sentAt, text, matches }
        if (isAborted(signal)) return
      }
      before = page[0]?.seq
      if (page.length < PAGE_SIZE || before === undefined || before <= deletedUpTo) break
    }
  }
}

/** A function: it may have become so since it was asked last. */
const isAborted = (signal: AbortSignal | undefined) => signal?.aborted === true

/** Where the words are; `undefined` where one is missing. */
export function matchesIn(text: string, words: readonly string[]): readonly (readonly [number, number])[] | undefined {
  const { text: found, at } = folded(text)
  const matches: [number, number][] = []
  for (const word of words) {
    let from = found.indexOf(word)
    if (from === -1) return undefined
    for (; from !== -1; from = found.indexOf(word, from + word.length)) {
      matches.push([at[from]!, at[from + word.length]!])
    }
  }
  matches.sort((a, b) => a[0] - b[0] || b[1] - a[1])
  const apart: [number, number][] = []
  for (const [start, end] of matches) {
    const last = apart.at(-1)
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end)
    else apart.push([start, end])
  }
  return apart
}

/** Without case and marks; `at`: where each code unit of that was in the text, and where the text ends. */
export function folded(text: string): { readonly text: string; readonly at: readonly number[] } {
  let all = ""
  const at: number[] = []
  let index = 0
  for (const character of text) {
    const plain = character.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase()
    for (let unit = 0; unit < plain.length; unit++) at.push(index)
    all += plain
    index += character.length
  }
  at.push(text.length)
  return { text: all, at }
}
