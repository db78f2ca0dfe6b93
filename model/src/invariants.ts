/** What must hold in every state. A limit is what the design says does not hold. */
import { breaches } from "./adversaries.js"
import { isAtHead, knowsNewestKey } from "./member.js"
import { staysOut } from "./recovery.js"
import type { Rules } from "./rules.js"
import { areOneHistory, inventedAt, membersOf, type State } from "./state.js"

export const invariants = {
  in: "nobody is in who was not let in by a member's Add",
  out: "nobody who is a member stays out while another honest member who follows comes online",
  fork: "no two histories go unnoticed",
  one: "two honest members never follow different successors of one epoch",
  append: "an honest member can append, or knows why not",
} as const
export type Invariant = keyof typeof invariants

export interface Finding {
  readonly of: Invariant | "limit"
  readonly words: string
}

export function findings(rules: Rules, s: State): Finding[] {
  const found: Finding[] = []
  if (s.broken !== undefined) found.push({ of: "in", words: s.broken })
  for (const words of breaches(rules, s)) found.push({ of: "in", words })
  const members = membersOf(s)
  for (const [name, member] of members) {
    const { status, epoch } = member
    if (status !== "following") continue
    if (epoch.tree.S !== undefined) found.push(strangerWith(s, name, inventedAt(epoch)))
    if (isAtHead(s, member) && !knowsNewestKey(s, member)) {
      found.push({ of: "append", words: "a member that has read everything cannot append, and has not been told" })
    }
    for (const [other, theirs] of members) {
      if (other <= name || theirs.status !== "following" || areOneHistory(epoch, theirs.epoch)) continue
      const isCapture = inventedAt(epoch) !== undefined || inventedAt(theirs.epoch) !== undefined
      if (!isCapture) found.push({ of: "one", words: "two members follow different successors" })
    }
  }
  if (members.some(([, { status }]) => status === "stopped") && !s.log.some(({ maker }) => maker === "M")) {
    found.push({ of: "append", words: "a conversation stops, and nobody has done harm" })
  }
  if (members.some(([, { status }]) => status === "recovering")) {
    for (const { why, isLimit } of staysOut(rules, s)) found.push({ of: isLimit ? "limit" : "out", words: why })
  }
  return found
}

/** Where the entry that captured somebody is garbage with a key, all others stop and say so: that is a stated limit. */
function strangerWith(s: State, name: string, invented: number | undefined): Finding {
  if (invented === undefined) return { of: "in", words: "a stranger is in the tree" }
  if (s.log[invented - 1]!.fault === "breaks")
    return { of: "limit", words: "one who knocks is captured; all others stop, and say so" }
  return { of: "in", words: `${name} is captured in an invented group, and nobody else notices` }
}
