/**
 * A service that shows two histories: after some entry it tells some members one thing and the others another, leaves
 * entries out, and shows in one history what was sent in the other. Members compare heads when they meet, as is planned:
 * nothing of that is implemented, so this is a model of the plan. The chain of hashes is implemented.
 */
import type { Action } from "./honest.js"
import type { Rules } from "./rules.js"
import type { Exploration, Found, Until } from "./search.js"

/** Entries in a history; entries that are made, by two of the three; entries shown once more in the other history. */
const LENGTH = 6
const MADE = 5
const REPLAYS = 2
const authors = ["A", "C"] as const
const members = ["A", "B", "C"] as const
type Name = (typeof members)[number]

/** What a member has made; it is named by a letter. */
interface Body {
  readonly by: Name
  readonly isCommit: boolean
  /** The epoch in which it is made, and the whole history that its author had read. */
  readonly epoch: string
  readonly read: string
}

interface Forked {
  readonly bodies: readonly Body[]
  /** Each a string of letters: the entries that are shown. The hash of a chain stands for the whole string. */
  readonly histories: readonly [string, string]
  /** Who is shown the second history. */
  readonly second: readonly Name[]
  readonly epochs: readonly [string, string]
  /** Who has noticed. */
  readonly noticed: readonly Name[]
  readonly switched: boolean
  readonly replays: number
}

const start: Forked = {
  bodies: [],
  histories: ["", ""],
  second: [],
  epochs: ["", ""],
  noticed: [],
  switched: false,
  replays: 0,
}
const letters = "abcdefghijkl"
const sideOf = ({ second }: Forked, name: Name): 0 | 1 => (second.includes(name) ? 1 : 0)
const isForked = ({ second }: Forked): boolean => second.length > 0

export function exploreForks(rules: Rules, until: Until = {}): Exploration {
  const begun = performance.now()
  const seen = new Set([JSON.stringify(start)])
  const found = new Map<string, Found>()
  let level: { readonly s: Forked; readonly trace: readonly Action[] }[] = [{ s: start, trace: [] }]
  while (level.length > 0 && !(until.found !== undefined && found.size > 0)) {
    const next: typeof level = []
    for (const { s, trace } of level) {
      steps(rules, s, (action, after, words) => {
        const key = JSON.stringify(after)
        if (words === undefined && seen.has(key)) return
        seen.add(key)
        const way = [...trace, action]
        if (words === undefined) next.push({ s: after, trace: way })
        else if (!found.has(words)) found.set(words, { of: "fork", words, trace: way })
      })
    }
    level = next
  }
  const isComplete = level.length === 0
  return { states: seen.size, seconds: (performance.now() - begun) / 1000, isComplete, found: [...found.values()] }
}

type Emit = (action: Action, s: Forked, violation?: string) => void

function steps(rules: Rules, s: Forked, emit: Emit): void {
  if (s.noticed.length === members.length) return
  if (!isForked(s)) {
    // By symmetry it is C who is shown another history.
    emit(
      { actor: "service", does: "lie", of: "fork", second: ["C"] },
      { ...s, second: ["C"], histories: [s.histories[0], s.histories[0]] },
    )
  }
  for (const by of authors) {
    const side = sideOf(s, by)
    const read = s.histories[side]
    if (read.length >= LENGTH || s.bodies.length >= MADE || s.noticed.includes(by)) continue
    for (const isCommit of [false, true]) {
      const body: Body = { by, isCommit, epoch: s.epochs[side], read }
      const more = { ...s, bodies: [...s.bodies, body] }
      const action = { actor: by, does: isCommit ? "refresh" : "send", entry: letters[s.bodies.length]! }
      show(rules, more, side, s.bodies.length, action, emit)
    }
  }
  if (isForked(s)) {
    for (const [index] of s.replays < REPLAYS ? s.bodies.entries() : []) {
      for (const side of [0, 1] as const) {
        const history = s.histories[side]
        if (history.includes(letters[index]!) || history.length >= LENGTH) continue
        show(
          rules,
          { ...s, replays: s.replays + 1 },
          side,
          index,
          { actor: "service", does: "lie", of: "replay", entry: letters[index]!, to: side },
          emit,
        )
      }
    }
    if (!s.switched) switches(s, emit)
  }
}

/** The service puts an entry into one of the histories, and everybody to whom it is shown reads it. */
function show(rules: Rules, s: Forked, side: 0 | 1, index: number, action: Action, emit: Emit): void {
  const body = s.bodies[index]!
  const before = s.histories[side]
  const histories: [string, string] = [...s.histories]
  histories[side] = before + letters[index]!
  if (!isForked(s)) histories[1] = histories[0]
  const epochs: [string, string] = [...s.epochs]
  const opens = body.epoch === s.epochs[side]
  if (body.isCommit && opens) epochs[side] = histories[side]
  if (!isForked(s)) epochs[1] = epochs[0]
  const readers = members.filter((name) => (!isForked(s) || sideOf(s, name) === side) && name !== body.by)
  const isOther = !before.startsWith(body.read)
  // A commit that does not open registers a key all the same: it stops those who read it, and they say so.
  const isSeen = opens ? isOther && rules.headsCompared : body.isCommit
  const noticing = isSeen ? readers.filter((name) => !s.noticed.includes(name)) : []
  const next: Forked = { ...s, histories, epochs, noticed: [...s.noticed, ...noticing].sort() }
  const unaware = readers.filter((name) => !next.noticed.includes(name))
  const met = opens && isOther && unaware.length > 0
  emit(action, next, met ? "members with two histories meet, and nobody notices" : undefined)
}

/** The service goes on with the other history for one who has read the first: the chain of hashes tells. */
function switches(s: Forked, emit: Emit): void {
  const [first, second] = s.histories
  if (second.startsWith(first) || s.noticed.includes("A")) return
  emit(
    { actor: "service", does: "lie", of: "go on with the other history", to: "A" },
    { ...s, switched: true, noticed: [...s.noticed, "A" as const].sort() },
  )
}
