/** Traces as files, which a test can replay against the model, or against the real SDK and service. */
import { type Action, made, message } from "./honest.js"
import type { Invariant } from "./invariants.js"
import { findings } from "./invariants.js"
import { hunt, type Planted, planted } from "./planted.js"
import { mended, type Rule, ruleWords, without } from "./rules.js"
import { type Scenario, scenarios } from "./scenarios.js"
import { startOf, successors } from "./search.js"
import { reachOf, refusalOf } from "./service.js"
import type { State, Status } from "./state.js"

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
  /** What each action leads to where every rule is kept; not in the scenario `fork`. */
  readonly kept?: readonly Step[]
  readonly expected:
    | { readonly violates: Invariant; readonly words: string }
    | { readonly holds: true; readonly states: Readonly<Record<string, string>> }
}

/** What an action leads to. Entries are named by their `seq`, epochs by the commit that begins them. */
export interface Step {
  /** Somebody refuses it: nothing has changed. */
  readonly refused?: true
  /** Entries in the log. */
  readonly log: number
  /** Names in the tree of who is at the head. */
  readonly tree: readonly string[]
  /** `knock`: the one that waits for an answer. */
  readonly members: Readonly<
    Record<
      string,
      { readonly status: Status; readonly cursor: number; readonly epoch: number; readonly knock?: number }
    >
  >
  /** The last entry that the service shows to M, and what it says to a message of M's; a thief's in the same way. */
  readonly insider?: { readonly reads: number; readonly appends: "accepted" | "stale" | "denied" }
  /** `acted`: he has taken A's place, so that A may stay out. */
  readonly thief?: { readonly reads: number; readonly acted: boolean }
}

const create = ({ members }: Pick<Scenario, "members">): Action => ({ actor: "A", does: "create", members })

/** What the exploration finds without the rule. */
export function traceOf(fault: Planted): Trace | undefined {
  const { found } = hunt(fault)
  if (found === undefined) return undefined
  const scenario = scenarios.find(({ name }) => name === fault.scenario)
  const { rule, of } = fault
  const actions = [create(scenario ?? { members: ["A", "B", "C"] }), ...found.trace]
  return withKept({
    ...{ version: 1, scenario: fault.scenario, late: scenario?.late ?? [], without: rule, rule: ruleWords[rule] },
    actions,
    expected: { violates: of, words: found.words },
  })
}

/** The trace with what each of its actions leads to where every rule is kept. */
export function withKept(trace: Trace): Trace {
  const scenario = scenarios.find(({ name }) => name === trace.scenario)
  if (scenario === undefined) return trace
  const { expected, actions, kept: _, ...rest } = trace
  return { ...rest, actions, kept: keptSteps(scenario, actions), expected }
}

/**
 * What the actions lead to where every rule is kept. One that is then possible in another way happens in that way: who
 * enters without a rule refuses the answer, and who answers a knock forgets it.
 */
function keptSteps(scenario: Scenario, actions: readonly Action[]): readonly Step[] {
  let s = startOf(scenario)
  return actions.map((action) => {
    if (action.does === "create") return stepOf(s)
    const next =
      step(scenario, mended, s, action) ??
      step(scenario, mended, s, action, isSameDeed) ??
      step(scenario, mended, s, action, isForgotten)
    s = next ?? s
    return { ...(next === undefined && { refused: true }), ...stepOf(s) }
  })
}

const isSameDeed = (it: Action, action: Action): boolean =>
  textOf({ ...it, becomes: undefined, upto: undefined }) === textOf({ ...action, becomes: undefined, upto: undefined })
const isForgotten = ({ actor, does }: Action, action: Action): boolean =>
  actor === action.actor && does === "forget" && action.does === "answer"

function stepOf(s: State): Step {
  const { log, group, insider, thief, lastCommit } = s
  const members = Object.entries(s.members).map(([name, { status, cursor, epoch, knock }]) => {
    return [name, { status, cursor, epoch: epoch.id, ...(knock !== undefined && { knock }) }] as const
  })
  const reads = (known: readonly number[]) => reachOf(mended, s, known) ?? 0
  const said = made(s, "M", group, message)
  return {
    ...{ log: log.length, tree: Object.keys(group.tree).sort(), members: Object.fromEntries(members) },
    ...(insider.length > 0 && {
      insider: {
        reads: reads(insider),
        appends: refusalOf(mended, s, said, { known: insider, knowsOther: true, after: lastCommit }) ?? "accepted",
      },
    }),
    ...(thief !== undefined && { thief: { reads: reads(thief.intervals), acted: thief.acted } }),
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

function step(
  scenario: Scenario,
  rules: typeof mended,
  s: State,
  action: Action,
  isIt: (it: Action, action: Action) => boolean = (it) => textOf(it) === textOf(action),
): State | undefined {
  let found: State | undefined
  successors(scenario, rules, s, (it, next) => {
    if (found === undefined && isIt(it, action)) found = next
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
