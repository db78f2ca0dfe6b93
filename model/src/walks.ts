/** Random ways through the model with every rule kept, which can be carried out with devices and a service. */
import type { Action } from "./honest.js"
import { mended } from "./rules.js"
import { type Scenario, scenarios } from "./scenarios.js"
import { startOf, successors } from "./search.js"
import type { Name, State } from "./state.js"
import { type Trace, withKept } from "./traces.js"

const LENGTH = 9

/** The walk of this number through each scenario: always the same. `isAble`: whether somebody can do that. */
export function walks(number: number, isAble: (action: Action) => boolean): readonly Trace[] {
  return scenarios.map((scenario) => walk(scenario, diceFor(`${scenario.name} ${number}`), isAble))
}

function walk(scenario: Scenario, below: (limit: number) => number, isAble: (action: Action) => boolean): Trace {
  const { name, late, members } = scenario
  const actions: Action[] = [{ actor: "A", does: "create", members }]
  let s = startOf(scenario)
  for (let at = 0; at < LENGTH; at++) {
    const next: (readonly [Action, State])[] = []
    successors(scenario, mended, s, (action, state) => {
      if (isAble(action) && isDone(s, action)) next.push([action, state])
    })
    if (next.length === 0) break
    const [action, state] = next[below(next.length)]!
    actions.push(action)
    s = state
  }
  const states = Object.fromEntries(Object.entries(s.members).map(([it, { status }]) => [it, status]))
  return withKept({ version: 1, scenario: name, late, actions, expected: { holds: true, states } })
}

/** What the model allows and a device does not do: */
function isDone(s: State, { actor, does }: Action): boolean {
  const member = s.members[actor as Name]
  if (member === undefined) {
    // The model leaves open that a device notices what a thief has written in its name: it takes that for a copy at once.
    // And a thief who copies a device that has knocked would have the keys of its knock.
    return !(actor === "T" && (does === "send" || (does === "copy" && s.members.A!.knock !== undefined)))
  }
  const acts = ["send", "refresh", "add", "remove", "answer"].includes(does)
  // Before it has read what the service has accepted of it, it appends nothing more;
  if (acts && s.log.some(({ maker, seq }) => maker === actor && seq > member.cursor)) return false
  // and when it has been let in, it renews its leaf first.
  return !(acts && does !== "refresh" && member.renews)
}

/** Numbers that are the same for the same text (FNV-1a, mulberry32). */
function diceFor(text: string): (limit: number) => number {
  let state = 0x811c_9dc5
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x0100_0193)
  return (limit) => {
    state = (state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}
