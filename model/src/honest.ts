/** What honest members do: they act at the head of what they have read, and the service judges whether that is the head. */
import { answer, hear, knock, lastCommitIn, mayHear, takeAnswer } from "./knocking.js"
import { canRead, isAtHead, readOn } from "./member.js"
import type { Rules } from "./rules.js"
import { append, successor } from "./service.js"
import { change, type Entry, type Epoch, type Name, newcomerLeaf, type State } from "./state.js"

/** What somebody does, as it stands in a trace. */
export interface Action {
  readonly actor: string
  readonly does: string
  readonly [detail: string]: unknown
}

export type Emit = (action: Action, s: State) => void

/** How often honest members do what nobody forces them to do. */
export interface Habits {
  /** Who has wishes. */
  readonly active: readonly Name[]
  readonly refresh: number
  readonly send: number
  readonly remove: number
  readonly add: number
  readonly restart: number
  readonly day: number
  /** The service shows knocks again that have been answered. */
  readonly replay: number
  /** The service gives out answers that nobody has made. */
  readonly falseAnswers: number
}

export const times = (s: State, what: string): number => s.done[what] ?? 0

export function counted(s: State, what: string): State {
  const done = { ...s.done, [what]: times(s, what) + 1 }
  return { ...s, done: Object.fromEntries(Object.entries(done).sort(([a], [b]) => (a < b ? -1 : 1))) }
}

/** A commit or message as an honest member makes it. */
export function made(s: State, name: Name, epoch: Epoch, more: Partial<Entry> = {}): Entry {
  const seq = s.log.length + 1
  return {
    ...{ seq, kind: "commit", by: name, maker: name, epoch: epoch.id, fault: "none", path: true, key: seq },
    ...{ removes: [], adds: [], closedTo: [], answers: [], welcome: "good" },
    ...more,
  }
}

export const message = { kind: "message", path: false, key: undefined } as const
export const onlyAdds = { path: false, key: undefined } as const

export function honestActions(rules: Rules, habits: Habits, s: State, emit: Emit): void {
  for (const name of Object.keys(s.members) as Name[]) {
    // Knocks are made at once: see `search`.
    recoveryActions(rules, s, name, (action, next) => {
      if (action.does !== "knock") emit(action, next)
    })
    const member = s.members[name]!
    if (member.status === "outside") {
      const joined = join(rules, s, name)
      if (joined !== undefined) emit({ actor: name, does: "join" }, joined)
    }
    if (member.status !== "following") continue
    wishes(rules, habits, s, name, emit)
    if (!habits.active.includes(name)) continue
    if (times(s, "restart") < habits.restart && hasMemory(s, name)) {
      emit(
        { actor: name, does: "restart" },
        counted(change(s, name, { visitors: [], heard: {}, letIn: {} }), "restart"),
      )
    }
  }
}

const hasMemory = ({ members }: State, name: Name): boolean => {
  const { visitors, heard, letIn } = members[name]!
  return visitors.length + Object.keys(heard).length + Object.keys(letIn).length > 0
}

/** What nobody has to wish for: reading, knocking, answering, entering. */
export function recoveryActions(rules: Rules, s: State, name: Name, emit: Emit): void {
  const member = s.members[name]!
  if (canRead(rules, s, member)) {
    const read = readOn(rules, s, name)
    emit({ actor: name, does: "deliver", upto: read.members[name]!.cursor, becomes: read.members[name]!.status }, read)
  }
  const knocked = knock(rules, s, name)
  if (knocked !== undefined) {
    const { id, interval, seen } = knocked.knocks.at(-1)!
    emit({ actor: name, does: "knock", knock: id, interval, seen }, knocked)
  }
  const entered = takeAnswer(rules, s, name)
  if (entered !== undefined) {
    const becomes = entered.members[name]!.status === "following" ? "enters" : "refuses it"
    emit({ actor: name, does: "take answer", knock: member.knock, becomes }, entered)
  }
  for (const it of s.knocks) {
    if (mayHear(rules, s, name, it)) emit({ actor: name, does: "hear", knock: it.id }, hear(s, name, it))
  }
  if (member.status !== "following" || member.visitors.length === 0 || !isAtHead(s, member)) return
  const answered = answer(rules, s, name)
  if (answered === undefined) return
  const of = answered.log.length > s.log.length ? answered.log.at(-1)!.answers : []
  emit(
    { actor: name, does: of.length > 0 ? "answer" : "forget", knocks: of.length > 0 ? of : member.visitors },
    answered,
  )
}

function wishes(rules: Rules, habits: Habits, s: State, name: Name, emit: Emit): void {
  const { intervals, cursor, epoch, renews } = s.members[name]!
  const proof = { known: intervals.slice(-1), after: lastCommitIn(s.log.slice(0, cursor)) }
  const attempt = (action: { readonly does: string; readonly whom?: Name }, what: string, e: Entry): void => {
    const next = append(rules, s, e, proof)
    const counts = what === "" ? next : next && counted(next, what)
    if (counts !== undefined) emit({ actor: name, ...action, seq: e.seq }, counts)
  }
  // Who sends does not have to have read everything.
  if (habits.active.includes(name) && times(s, "send") < habits.send)
    attempt({ does: "send" }, "send", made(s, name, epoch, message))
  if (rules.compareAndSet && cursor < s.log.length) return
  if (renews) attempt({ does: "refresh" }, "", made(s, name, epoch))
  if (!habits.active.includes(name)) return
  if (!renews && times(s, "refresh") < habits.refresh) attempt({ does: "refresh" }, "refresh", made(s, name, epoch))
  if (epoch.tree.M !== undefined && times(s, "remove") < habits.remove) {
    attempt({ does: "remove", whom: "M" }, "remove", made(s, name, epoch, { removes: ["M"] }))
  }
  if (epoch.tree.D === undefined && s.members.D?.status === "outside" && times(s, "add") < habits.add) {
    const adds = [["D", newcomerLeaf(s.log.length + 1)]] as const
    attempt({ does: "add", whom: "D" }, "add", made(s, name, epoch, { ...onlyAdds, adds }))
  }
}

/** A newcomer takes the Welcome out of its inbox: all leaves are as old to it as the interval of which it was told. */
function join(rules: Rules, s: State, name: Name): State | undefined {
  const e = s.log.find(({ adds, removes }) => adds.some(([it]) => it === name) && !removes.includes(name))
  if (e === undefined) return undefined
  let at: Epoch | undefined = s.group
  while (at !== undefined && at.id !== e.epoch) at = at.parent
  if (at === undefined) return undefined
  const epoch = successor(at, e)
  const since = Object.fromEntries(Object.keys(epoch.tree).map((it) => [it, epoch.interval]))
  const intervals = rules.secretInWelcome ? [epoch.interval] : []
  return change(s, name, { status: "following", cursor: e.seq, epoch, since, intervals })
}
