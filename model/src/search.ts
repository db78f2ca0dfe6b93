/** Breadth-first search over all interleavings: a finding is met first on a shortest way. */
import { insiderActions, thiefActions, wrongAnswers } from "./adversaries.js"
import { type Action, counted, type Emit, type Habits, honestActions, times } from "./honest.js"
import { type Finding, findings } from "./invariants.js"
import { dayPassed, hear, knock, mayHear, refuseAnswer } from "./knocking.js"
import { canRead, readOn } from "./member.js"
import type { Rules } from "./rules.js"
import type { Scenario } from "./scenarios.js"
import { initial, keyOf, type Member, membersOf, type State } from "./state.js"

export interface Exploration {
  readonly states: number
  readonly seconds: number
  /** Whether everything within the bounds was seen. */
  readonly isComplete: boolean
  readonly found: readonly Found[]
}

/** With the actions that lead to it. */
export interface Found extends Finding {
  readonly trace: readonly Action[]
}

export interface Until {
  readonly seconds?: number
  readonly states?: number
  /** Ends at the first violation for which this holds. */
  readonly found?: (finding: Finding) => boolean
}

interface Node {
  readonly s: State
  readonly action: Action | undefined
  readonly before: Node | undefined
}

export function explore(scenario: Scenario, rules: Rules, until: Until = {}): Exploration {
  const start = performance.now()
  const seconds = () => (performance.now() - start) / 1000
  const root: Node = { s: startOf(scenario), action: undefined, before: undefined }
  const seen = new Set([keyOf(root.s)])
  const found = new Map<string, Found>()
  let level: Node[] = [root]
  let isEnded = false
  while (level.length > 0 && !isEnded) {
    const next: Node[] = []
    for (const before of level) {
      successors(scenario, rules, before.s, (action, s) => {
        if (isEnded) return
        const key = keyOf(s)
        if (seen.has(key)) return
        seen.add(key)
        const node: Node = { s, action, before }
        const said = findings(rules, s)
        for (const finding of said) {
          const name = `${finding.of}: ${finding.words}`
          if (!found.has(name)) found.set(name, { ...finding, trace: traceOf(node) })
          if (until.found?.(finding) === true) isEnded = true
        }
        // What is broken is not broken further.
        if (!said.some(({ of }) => of !== "limit")) next.push(node)
      })
      if (isEnded || seen.size > (until.states ?? 3e6) || seconds() > (until.seconds ?? 1e9)) {
        isEnded = true
        break
      }
    }
    level = next
  }
  return { states: seen.size, seconds: seconds(), isComplete: !isEnded, found: [...found.values()] }
}

function traceOf(node: Node): Action[] {
  const trace: Action[] = []
  for (let at: Node | undefined = node; at?.action !== undefined; at = at.before) trace.unshift(at.action)
  return trace
}

export function startOf({ members, newcomer }: Scenario): State {
  const s = initial(members)
  if (newcomer !== true) return s
  const outside: Member = { ...s.members.A!, status: "outside", intervals: [], since: {} }
  return { ...s, members: { ...s.members, D: outside } }
}

export function successors(scenario: Scenario, rules: Rules, s: State, emit: Emit): void {
  const { length, habits, harm, theft } = scenario
  const within: Emit = (action, next) => {
    if (next.log.length > length) return
    const broken = wrongAnswers(s, next).next()
    const then = atOnce(scenario, rules, s, next)
    emit(action, broken.done === true ? then : { ...then, broken: broken.value })
  }
  honestActions(rules, habits, s, within)
  if (harm !== undefined) insiderActions(rules, harm, s, within)
  if (theft !== undefined) thiefActions(rules, theft, s, within)
  if (times(s, "day") < habits.day && s.knocks.length > 0) {
    within({ actor: "service", does: "a day passes" }, counted(dayPassed(rules, s), "day"))
  }
  lies(rules, habits, s, within)
}

/** The service shows a knock again that has been answered, or an answer that nobody has made. */
function lies(rules: Rules, habits: Habits, s: State, emit: Emit): void {
  for (const [name, { knock: id, status }] of membersOf(s)) {
    if (status !== "recovering" || id === undefined || times(s, "false answers") >= habits.falseAnswers) continue
    const refused = counted(refuseAnswer(rules, s, name), "false answers")
    emit({ actor: "service", does: "lie", of: "false answer", to: name, knock: id }, refused)
  }
  if (times(s, "replay") >= habits.replay) return
  for (const it of s.knocks) {
    if (it.answer === undefined || s.members[it.from]?.status !== "following") continue
    const knocks = s.knocks.map((other) => (other === it ? { ...it, waits: true, answer: undefined } : other))
    emit({ actor: "service", does: "lie", of: "replay knock", knock: it.id }, counted({ ...s, knocks }, "replay"))
  }
}

/** Who cannot follow knocks. Members that are always online read what has come, and hear of each knock when it is made. */
function atOnce({ late, knocks }: Scenario, rules: Rules, before: State, s: State): State {
  let next = s
  for (const [name] of membersOf(s)) {
    if (!late.includes(name) && canRead(rules, next, next.members[name]!)) next = readOn(rules, next, name)
    if (knocksOf(next) < knocks) next = knock(rules, next, name) ?? next
  }
  for (const [name] of membersOf(s)) {
    if (late.includes(name)) continue
    for (const made of next.knocks.slice(before.knocks.length)) {
      if (mayHear(rules, next, name, made)) next = hear(next, name, made)
    }
  }
  return next
}

/** Those of honest members. */
const knocksOf = ({ knocks }: State): number => knocks.filter(({ maker }) => maker !== "M" && maker !== "T").length
