/** Faults planted in the rules, one at a time: the exploration has to find each of them. */
import { exploreForks } from "./fork.js"
import type { Invariant } from "./invariants.js"
import { type Rule, without } from "./rules.js"
import { scenarios } from "./scenarios.js"
import { explore, type Found } from "./search.js"

export interface Planted {
  readonly rule: Rule
  /** `fork` is that of `fork.ts`. */
  readonly scenario: string
  /** The invariant that does not hold without the rule. */
  readonly of: Invariant
}

export const planted: readonly Planted[] = [
  { rule: "compareAndSet", scenario: "honest", of: "append" },
  { rule: "newestKeyProved", scenario: "removed", of: "in" },
  { rule: "removalEndsKey", scenario: "removed", of: "in" },
  { rule: "readsEndAtRemoval", scenario: "removed", of: "in" },
  { rule: "keyCompared", scenario: "keys", of: "append" },
  { rule: "garbageKeyStops", scenario: "keys", of: "append" },
  { rule: "pathNeedsKey", scenario: "keys", of: "append" },
  { rule: "stuckFollowsNothing", scenario: "keys", of: "one" },
  { rule: "secretInWelcome", scenario: "honest", of: "append" },
  { rule: "leafMatches", scenario: "days", of: "in" },
  { rule: "intervalNotOlder", scenario: "thief", of: "in" },
  { rule: "sameName", scenario: "loop", of: "in" },
  { rule: "knockSigned", scenario: "answers", of: "in" },
  { rule: "seenIsFetched", scenario: "insider", of: "out" },
  { rule: "expiredLeafClaimed", scenario: "days", of: "out" },
  { rule: "leavesKept", scenario: "liar", of: "out" },
  { rule: "readdedKeepsAge", scenario: "answers", of: "out" },
  { rule: "answerKeyDerived", scenario: "answers", of: "in" },
  { rule: "passedOverKeyStops", scenario: "keys", of: "append" },
  { rule: "stuckAtChecked", scenario: "loop", of: "in" },
  { rule: "headsCompared", scenario: "fork", of: "fork" },
]

export interface Hunt {
  readonly found: Found | undefined
  readonly states: number
}

/** Looks for the violation of the invariant that the fault is to lead to. */
export function hunt({ rule, scenario: name, of }: Planted): Hunt {
  const rules = without(rule)
  const until = { found: (finding: { readonly of: string }) => finding.of === of }
  const scenario = scenarios.find((it) => it.name === name)
  const { found, states } = scenario === undefined ? exploreForks(rules, until) : explore(scenario, rules, until)
  return { found: found.find((it) => it.of === of), states }
}
