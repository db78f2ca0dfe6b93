/**
 * Whether a member that cannot follow would come back if one other honest member that follows were online with it, and
 * nobody did harm any more: tried for each of them alone, from any state, with days passing.
 */

import { recoveryActions } from "./honest.js"
import { dayPassed, UNKNOWN_INTERVAL, whyNot } from "./knocking.js"
import { canRead, holdsLeaf, isAtHead, readOn } from "./member.js"
import type { Rules } from "./rules.js"
import { keyOf, membersOf, type Name, type State } from "./state.js"

const ROUNDS = 3
const STOLEN = "its leaf has been set by a thief"

/** Does everything that `names` do by themselves, until nothing changes. The service shows each knock once. */
function settle(rules: Rules, start: State, names: readonly Name[]): State {
  let s = start
  const heard = new Set<string>()
  for (let acted = true; acted; ) {
    acted = false
    for (const name of names) {
      recoveryActions(rules, s, name, ({ does, knock }, next) => {
        const isAgain = does === "hear" && heard.has(`${name} ${knock}`)
        if (acted || isAgain) return
        if (does === "hear") heard.add(`${name} ${knock}`)
        acted = true
        s = next
      })
    }
  }
  return s
}

/** Why a member stays out, in words; `undefined` where it comes back, or where that is a limit that the design states. */
export function* staysOut(rules: Rules, start: State): Generator<{ readonly why: string; readonly isLimit: boolean }> {
  let s = start
  for (const [name, member] of membersOf(s)) if (canRead(rules, s, member)) s = readOn(rules, s, name)
  for (const [name, { status, alarmed, epoch }] of membersOf(s)) {
    if (status !== "recovering") continue
    if (!alarmed) yield { why: `${name} cannot follow, and its user has not been told`, isLimit: false }
    if (s.group.tree[name] === undefined) continue
    if (!holdsLeaf(s, name)) {
      yield { why: STOLEN, isLimit: true }
      continue
    }
    const others = membersOf(s).filter(
      ([it, other]) => it !== name && isAtHead(s, other) && other.epoch.id === s.group.id,
    )
    if (others.length === 0) yield { why: "nobody who follows is left", isLimit: true }
    for (const [other] of others) {
      const why = remembered(rules, s, name, other)
      if (why === undefined) continue
      const isLimit = why === UNKNOWN_INTERVAL || why === STOLEN || epoch.tree[other] === undefined
      yield { why: isLimit ? why : `${name} stays out while ${other} is online: ${why}`, isLimit }
    }
  }
}

/** By the parts of a state that matter to the two. */
let memory: { readonly rules: Rules; readonly whys: Map<string, string | undefined> } | undefined

function remembered(rules: Rules, s: State, name: Name, other: Name): string | undefined {
  if (memory?.rules !== rules) memory = { rules, whys: new Map() }
  const { whys } = memory
  const members = { [name]: s.members[name]!, [other]: s.members[other]! }
  const key = keyOf({ ...s, members, done: nothing, thief: undefined, broken: undefined })
  if (!whys.has(key)) whys.set(key, whyWith(rules, { ...s, members }, name, other))
  return whys.get(key)
}

const nothing = {}

function whyWith(rules: Rules, start: State, name: Name, other: Name): string | undefined {
  let s = start
  let why: string | undefined
  for (let round = 0; round < ROUNDS; round++) {
    s = settle(rules, s, [name])
    if (isIn(s, name)) return undefined
    const waiting = s.knocks.findLast(({ maker, waits }) => maker === name && waits)
    why = waiting === undefined ? "it has no knock that the service takes" : whyNot(rules, s, other, waiting)
    s = settle(rules, s, [other, name])
    if (isIn(s, name)) return undefined
    if (!holdsLeaf(s, name)) return STOLEN
    s = dayPassed(rules, s)
  }
  return why ?? "its answers are of no use"
}

const isIn = ({ members }: State, name: Name): boolean => members[name]!.status === "following"
