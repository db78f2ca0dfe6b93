/** Traces as files, which a test can replay against the model, or against the real SDK and service. */
import type { Action } from "./honest.js"
import type { Invariant } from "./invariants.js"
import { findings } from "./invariants.js"
import { hunt, type Planted, planted } from "./planted.js"
import { mended, type Rule, ruleWords, without } from "./rules.js"
import { type Scenario, scenarios } from "./scenarios.js"
import { startOf, successors } from "./search.js"
import type { State } from "./state.js"

export interface Trace {
  /** 1. */
  readonly version: 1
  readonly scenario: string
  /** Who reads, and hears of knocks, only where an action says so. Everybody else does at once. */
  readonly late: readonly string[]
  /** The rule that is left out; absent where all are kept. */
  readonly without?: Rule
  readonly rule?: string
  readonly actions: readonly Action[]
  readonly expected:
    | { readonly violates: Invariant; readonly words: string }
    | { readonly holds: true; readonly states: Readonly<Record<string, string>> }
}

const create = ({ members }: Pick<Scenario, "members">): Action => ({ actor: "A", does: "create", members })

/** What the exploration finds without the rule. */
export function traceOf(fault: Planted): Trace | undefined {
  const { found } = hunt(fault)
  if (found === undefined) return undefined
  const scenario = scenarios.find(({ name }) => name === fault.scenario)
  const { rule, of } = fault
  return {
    ...{ version: 1, scenario: fault.scenario, late: scenario?.late ?? [], without: rule, rule: ruleWords[rule] },
    actions: [create(scenario ?? { members: ["A", "B", "C"] }), ...found.trace],
    expected: { violates: of, words: found.words },
  }
}

/** Where the actions lead, or which of them is not possible. */
export function replay({
  scenario: name,
  without: rule,
  actions,
}: Pick<Trace, "scenario" | "without" | "actions">): State | Action {
  const scenario = scenarios.find((it) => it.name === name)
  if (scenario === undefined) throw new RangeError(`there is no scenario ${name}`)
  const rules = rule === undefined ? mended : without(rule)
  let s = startOf(scenario)
  for (const action of actions) {
    if (action.does === "create") continue
    const next = step(scenario, rules, s, action)
    if (next === undefined) return action
    s = next
  }
  return s
}

function step(scenario: Scenario, rules: typeof mended, s: State, action: Action): State | undefined {
  let found: State | undefined
  const text = textOf(action)
  successors(scenario, rules, s, (it, next) => {
    if (found === undefined && textOf(it) === text) found = next
  })
  return found
}

/** As it is after JSON: without what is undefined. */
const textOf = (action: Action): string =>
  JSON.stringify(
    Object.entries(action)
      .filter(([, it]) => it !== undefined)
      .sort(),
  )

/** What is found in the state to which a trace leads. */
export function outcomeOf(trace: Trace): string[] {
  const end = replay(trace)
  if ("actor" in end) throw new RangeError(`not possible: ${JSON.stringify(end)}`)
  const rules = trace.without === undefined ? mended : without(trace.without)
  return findings(rules, end).map(({ of, words }) => `${of}: ${words}`)
}

export const allTraces = (): (readonly [Rule, Trace | undefined])[] =>
  planted.map((fault) => [fault.rule, traceOf(fault)] as const)
