/** Knocks, and their answers: `conversation/knocking`, `answering`, `entering`. */
import type { Rules } from "./rules.js"
import { append, inventedGroup, knowsAKey, reachOf, successor } from "./service.js"
import {
  change,
  type Entry,
  type Epoch,
  type Knock,
  knockLeaf,
  type Member,
  type Name,
  newest,
  type State,
} from "./state.js"

// --- Knocking --------------------------------------------------------------------------------------------------------

/** Whether a member that cannot follow makes a knock now. */
export const mustKnock = ({ status, knock, intervals }: Member): boolean =>
  status === "recovering" && knock === undefined && intervals.length > 0

/** Leaves a knock with the service, if that takes it. */
export function knock(rules: Rules, s: State, name: Name): State | undefined {
  const member = s.members[name]!
  const { cursor, epoch, stuckAt, knockLeaves, intervals } = member
  if (!mustKnock(member) || !knowsAKey(s, intervals)) return undefined
  const leaves = [epoch.tree[name]!, ...knockLeaves]
  const seen = rules.seenIsFetched ? (reachOf(rules, s, intervals) ?? cursor) : cursor
  const made = left(s, {
    from: name,
    maker: name,
    interval: newest(intervals)!,
    leaves,
    seen,
    stuckAt,
    packageName: name,
  })
  return change(made, name, { knock: newest(made.knocks.map(({ id }) => id)) })
}

type NewKnock = Omit<Knock, "id" | "leaf" | "waits" | "answer">

/** The state with another knock beside the log. */
export function left(s: State, made: NewKnock): State {
  const id = s.knocks.length + 1
  return { ...s, knocks: [...s.knocks, { ...made, id, leaf: knockLeaf(id), waits: true, answer: undefined }] }
}

/** A day has passed: knocks and answers are gone, and whoever still cannot follow knocks anew. Pauses are over, too. */
export function dayPassed(rules: Rules, s: State): State {
  let next: State = { ...s, knocks: s.knocks.map((it) => ({ ...it, waits: false, answer: undefined })) }
  for (const [name, member] of Object.entries(next.members) as [Name, Member][]) {
    const { knock: id, knockLeaves, visitors, letIn } = member
    if (id === undefined && visitors.length === 0 && Object.keys(letIn).length === 0) continue
    const claimed = id !== undefined && rules.expiredLeafClaimed ? [...knockLeaves, knockLeaf(id)] : knockLeaves
    next = change(next, name, {
      knock: undefined,
      knockLeaves: kept(rules, claimed),
      visitors: [],
      letIn: {},
    })
  }
  return next
}

const kept = (rules: Rules, leaves: readonly number[]) => (rules.leavesKept ? leaves : leaves.slice(-1))

// --- Answering -------------------------------------------------------------------------------------------------------

/** The service shows knocks to members that reach the head. */
export function mayHear(rules: Rules, s: State, name: Name, knock: Knock): boolean {
  const { status, intervals, visitors } = s.members[name]!
  if (status !== "following" || knock.from === name || !knock.waits || visitors.includes(knock.id)) return false
  return reachOf(rules, s, intervals) === s.log.length
}

export const hear = (s: State, name: Name, { id }: Knock): State =>
  change(s, name, { visitors: [...s.members[name]!.visitors, id] })

/** Why a member does not let in who has made a knock: in the order in which it looks. */
export function whyNot(rules: Rules, s: State, name: Name, knock: Knock): string | undefined {
  const { epoch, intervals, since, heard, letIn } = s.members[name]!
  const { from, interval, leaves, seen, stuckAt } = knock
  if (!intervals.includes(interval)) return UNKNOWN_INTERVAL
  const leaf = epoch.tree[from]
  if (leaf === undefined) return "its leaf is not in the tree"
  if (rules.leafMatches && !leaves.includes(leaf)) return "its leaf has been replaced"
  if (rules.knockSigned && !canSign(knock)) return "its signature is not that of its leaf"
  if (rules.intervalNotOlder && interval < since[from]!) return "its interval is older than its leaf"
  if ((heard[from] ?? 0) > seen) return "its leaf has been heard since"
  if (rules.sameName && knock.packageName !== from) return "its key package is somebody else's"
  const last = letIn[from]
  if (last === undefined) return undefined
  const isFree = stuckAt !== undefined && stuckAt > last && (!rules.stuckAtChecked || isOthersCommit(s, from, stuckAt))
  return isFree ? undefined : "its leaf was let in a short time ago"
}

export const UNKNOWN_INTERVAL = "its interval is not known here"

/** Everybody signs for themselves; a thief has the signature key of whose state he has copied. */
const canSign = ({ from, maker }: Knock): boolean => maker === from || (maker === "T" && from === "A")

const isOthersCommit = (s: State, name: Name, seq: number): boolean =>
  s.log.some((e) => e.seq === seq && e.kind === "commit" && e.by !== name && e.closedTo.includes(name))

/** One commit that takes out and in all whose knocks show that they are members; those that do not are forgotten. */
export function answer(rules: Rules, s: State, name: Name): State | undefined {
  const member = s.members[name]!
  const admitted: Knock[] = []
  const visitors: number[] = []
  for (const id of member.visitors) {
    const knock = s.knocks.find((it) => it.id === id)!
    if (whyNot(rules, s, name, knock) !== undefined || admitted.some(({ from }) => from === knock.from)) continue
    admitted.push(knock)
    visitors.push(id)
  }
  const remembers = visitors.length === member.visitors.length ? s : change(s, name, { visitors })
  if (admitted.length === 0) return remembers === s ? undefined : remembers
  const e = answerOf(s, name, admitted, { epoch: member.epoch.id, maker: name })
  const seen = s.log.slice(0, member.cursor)
  const answered = append(rules, remembers, e, { known: member.intervals.slice(-1), after: lastCommitIn(seen) })
  return answered ?? (remembers === s ? undefined : remembers)
}

export const lastCommitIn = (read: readonly Entry[]): number => read.findLast(({ kind }) => kind === "commit")?.seq ?? 0

export function answerOf(
  s: State,
  by: Name,
  knocks: readonly Knock[],
  more: Pick<Entry, "epoch" | "maker"> & Partial<Entry>,
): Entry {
  const seq = s.log.length + 1
  return {
    ...{ seq, kind: "commit", by, fault: "none", path: true, key: seq, closedTo: [], welcome: "good" },
    removes: knocks.map(({ from }) => from),
    adds: knocks.map(({ packageName, leaf }) => [packageName, leaf] as const),
    answers: knocks.map(({ id }) => id),
    ...more,
  }
}

// --- Entering --------------------------------------------------------------------------------------------------------

/** The answer to the member's knock, if the service has one, is examined: it enters, or refuses with an alarm. */
export function takeAnswer(rules: Rules, s: State, name: Name): State | undefined {
  const member = s.members[name]!
  const made = s.knocks.find(({ id }) => id === member.knock)
  if (member.status !== "recovering" || made?.answer === undefined) return undefined
  return enter(rules, s, name, s.log[made.answer - 1]!)
}

export function enter(rules: Rules, s: State, name: Name, e: Entry): State {
  const member = s.members[name]!
  const group = groupOfWelcome(s, name, e)
  if (group === undefined || !isBelieved(rules, s, name, e, group)) {
    return refuseAnswer(rules, s, name)
  }
  const since: Partial<Record<Name, number>> = {}
  for (const [it, leaf] of Object.entries(group.tree) as [Name, number][]) {
    const isUnchanged = member.epoch.tree[it] === leaf
    since[it] = isUnchanged ? member.since[it]! : group.interval
  }
  return change(s, name, {
    ...{ status: "following", cursor: e.seq, epoch: group, since, intervals: [...member.intervals, group.interval] },
    ...{ knock: undefined, knockLeaves: [], stuckAt: undefined, renews: rules.renewsAtOnce },
  })
}

/** An answer is of no use: another knock takes the place of the one that it answers. */
export function refuseAnswer(rules: Rules, s: State, name: Name): State {
  const { knock: id, knockLeaves } = s.members[name]!
  return change(s, name, {
    knock: undefined,
    knockLeaves: kept(rules, [...knockLeaves, knockLeaf(id!)]),
    alarmed: true,
  })
}

/** Where the Welcome of an answer leads; `undefined` where it does not open. */
function groupOfWelcome(s: State, name: Name, e: Entry): Epoch | undefined {
  const { welcome, adds } = e
  const knock = s.members[name]!.knock!
  if (welcome === "broken") return undefined
  if (welcome === "invented") return inventedGroup(s.members[name]!.epoch, { ...e, adds: [[name, knockLeaf(knock)]] })
  if (!adds.some(([, leaf]) => leaf === knockLeaf(knock))) return undefined
  const before = epochOf(s, e.epoch)
  return before && successor(before, e)
}

function epochOf({ group }: State, id: number): Epoch | undefined {
  for (let at: Epoch | undefined = group; at !== undefined; at = at.parent) if (at.id === id) return at
  return undefined
}

function isBelieved(rules: Rules, s: State, name: Name, e: Entry, group: Epoch): boolean {
  const { epoch, cursor } = s.members[name]!
  if (e.seq <= cursor || (group.id > 0 && group.id <= epoch.id)) return false
  if (rules.signerIsAnother && (e.by === name || epoch.tree[e.by] === undefined)) return false
  if (rules.answerInLog && (e.removes.length === 0 || e.key === undefined)) return false
  // The secret that the Welcome tells leads to the registered key. An invented epoch derives another one, unless the
  // entry is nothing but the invented group's.
  return !rules.answerKeyDerived || group.id > 0 || e.fault !== "none"
}
