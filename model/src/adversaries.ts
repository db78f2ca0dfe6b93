/** Who means harm: the insider, who may do what a member can; the thief; a removed member; a stranger. */
import { counted, type Emit, made, message, times } from "./honest.js"
import { answerOf, left } from "./knocking.js"
import type { Rules } from "./rules.js"
import { append, holds, reachOf, refusalOf, successor } from "./service.js"
import { type Entry, type Name, newest, OTHER_KEY, pathLeaf, type State, type Thief } from "./state.js"

export type Move =
  | "closed path"
  | "other key"
  | "garbage"
  | "garbage with a key"
  | "past commit"
  | "past commit with a key"
  | "own message with a key"
  | "path without a key"
  | "false answer"
  | "invented answer"
  | "knock"
  | "knock for a stranger"
  | "forged knock"

export interface Harm {
  /** Entries that the insider makes, knocks that he leaves, and of what kinds. */
  readonly entries: number
  readonly knocks: number
  readonly moves: readonly Move[]
  /** Whose paths he closes: the honest members that he may shut out, together or alone. */
  readonly victims: readonly (readonly Name[])[]
}

// --- The insider -----------------------------------------------------------------------------------------------------

export function insiderActions(rules: Rules, { entries, knocks, moves, victims }: Harm, s: State, emit: Emit): void {
  if (s.group.tree.M === undefined) return
  const own = (more: Partial<Entry> = {}) => made(s, "M", s.group, more)
  const attempt = (does: string, e: Entry, details: object = {}): void => {
    const next = append(rules, s, e, { known: s.insider, knowsOther: true, after: s.lastCommit })
    if (next !== undefined) emit({ actor: "M", does, ...details, seq: e.seq }, counted(next, "insider"))
  }
  const may = (move: Move): boolean => moves.includes(move)
  if (times(s, "insider") < entries) {
    if (may("closed path")) {
      for (const closedTo of victims) {
        if (closedTo.every((name) => s.group.tree[name] !== undefined))
          attempt("closed path", own({ closedTo }), { closedTo })
      }
    }
    if (may("other key")) attempt("other key", own({ key: OTHER_KEY }))
    const breaks = { fault: "breaks", path: false } as const
    const past = { epoch: s.group.parent?.id ?? -1, fault: s.group.parent === undefined ? "past" : "none" } as const
    if (may("garbage")) attempt("garbage", own({ ...breaks, key: undefined }))
    if (may("garbage with a key")) attempt("garbage with a key", own({ ...breaks, key: OTHER_KEY }))
    if (may("past commit") && s.group.parent !== undefined)
      attempt("past commit", own({ ...past, path: false, key: undefined }))
    if (may("past commit with a key")) attempt("past commit with a key", own({ ...past, key: OTHER_KEY }))
    if (may("own message with a key"))
      attempt("own message with a key", own({ fault: "own-A", key: OTHER_KEY }), { of: "A" })
    if (may("path without a key")) attempt("path without a key", own({ key: undefined }))
    answers(rules, s, may, attempt)
  }
  if (times(s, "knocks of M") < knocks) {
    knocksOfInsider(s, may, (does, next) =>
      emit({ actor: "M", does, knock: next.knocks.length }, counted(next, "knocks of M")),
    )
  }
}

function answers(
  rules: Rules,
  s: State,
  may: (move: Move) => boolean,
  attempt: (does: string, e: Entry, details: object) => void,
): void {
  for (const knock of s.knocks) {
    if (!knock.waits || knock.maker === "M" || !s.insider.includes(knock.interval)) continue
    if (s.group.tree[knock.from] === undefined) continue
    const by = { epoch: s.group.id, maker: "M" } as const
    const details = { knock: knock.id }
    if (may("false answer")) {
      attempt("false answer", answerOf(s, "M", [knock], { ...by, welcome: "broken" }), details)
      attempt("false answer beside", made(s, "M", s.group, { answers: [knock.id], welcome: "broken" }), details)
    }
    if (!may("invented answer")) continue
    attempt("invented answer", answerOf(s, "M", [knock], { ...by, welcome: "invented" }), details)
    const e = answerOf(s, "M", [knock], { ...by, welcome: "invented", fault: "breaks", path: false, key: OTHER_KEY })
    if (!holds(rules, s.group, e)) attempt("invented answer, as garbage", e, details)
  }
}

function knocksOfInsider(s: State, may: (move: Move) => boolean, leave: (does: string, next: State) => void): void {
  const interval = newest(s.insider)!
  const own = { maker: "M", interval, seen: s.log.length, leaves: Object.values(s.group.tree) } as const
  const claimed = { stuckAt: s.lastCommit }
  if (may("knock")) leave("knock", left(s, { ...own, ...claimed, from: "M", packageName: "M" }))
  if (may("knock for a stranger"))
    leave("knock for a stranger", left(s, { ...own, ...claimed, from: "M", packageName: "S" }))
  // Signed by nobody, with a key package of the victim's that he has seen in a knock.
  for (const victim of may("forged knock") ? (["A"] as const) : []) {
    if (!s.knocks.some(({ maker, interval: it }) => maker === victim && s.insider.includes(it))) continue
    leave("forged knock", left(s, { ...own, ...claimed, from: victim, packageName: victim }))
  }
}

// --- The thief -------------------------------------------------------------------------------------------------------

export interface Theft {
  readonly entries: number
  readonly knocks: number
}

export function thiefActions(rules: Rules, { entries, knocks }: Theft, s: State, emit: Emit): void {
  const victim = s.members.A
  if (s.thief === undefined) {
    if (victim === undefined || victim.intervals.length === 0) return
    const { epoch, status, cursor, intervals, knock, knockLeaves } = victim
    const packages = s.knocks.filter(({ id }) => id === knock).map(({ leaf }) => leaf)
    const leaves = [epoch.tree.A!, ...packages, ...knockLeaves]
    const copy: Thief = {
      ...{ at: s.log.length, epoch, follows: status === "following", cursor, intervals, leaves },
      ...{ acted: false, healedAt: undefined },
    }
    emit({ actor: "T", does: "copy", of: "A" }, { ...s, thief: copy })
    return
  }
  const read = readAsThief(rules, s)
  if (read !== s) {
    emit({ actor: "T", does: "deliver", upto: read.thief!.cursor }, read)
    return
  }
  const { thief } = s
  const after = s.log.slice(0, thief.cursor).findLast(({ kind }) => kind === "commit")?.seq ?? 0
  const proof = { known: thief.intervals, after }
  if (times(s, "thief") < entries) {
    const said = append(rules, s, { ...made(s, "A", thief.epoch, message), maker: "T" }, proof)
    if (said !== undefined) emit({ actor: "T", does: "send", as: "A" }, counted(said, "thief"))
    const own = thief.leaves.includes(s.group.tree.A ?? -1) && thief.follows && thief.epoch.id === s.group.id
    const e: Entry = { ...made(s, "A", thief.epoch), maker: "T" }
    const committed = own ? append(rules, s, e, proof) : undefined
    if (committed !== undefined) {
      const leaves = [...thief.leaves, pathLeaf(e.seq)]
      const intervals = [...thief.intervals, e.seq]
      const next = { ...thief, leaves, intervals, epoch: successor(thief.epoch, e), cursor: e.seq, acted: true }
      emit({ actor: "T", does: "commit", as: "A" }, { ...counted(committed, "thief"), thief: next })
    }
  }
  if (times(s, "knocks of T") < knocks) {
    // An accomplice tells him which leaf is in the tree.
    const leaves = [...new Set([...thief.leaves, ...(s.group.tree.A === undefined ? [] : [s.group.tree.A])])]
    const made = { from: "A", maker: "T", interval: newest(thief.intervals)!, leaves, seen: s.log.length } as const
    const next = left(s, { ...made, stuckAt: s.lastCommit, packageName: "A" })
    emit({ actor: "T", does: "knock", as: "A", knock: next.knocks.length }, counted(next, "knocks of T"))
  }
}

/** He reads as A would, with the private keys that he has. */
function readAsThief(rules: Rules, s: State): State {
  let { thief } = s
  const end = reachOf(rules, s, thief!.intervals) ?? 0
  while (thief!.cursor < end) thief = readEntry(rules, s, thief!, s.log[thief!.cursor]!)
  return thief === s.thief ? s : { ...s, thief: thief! }
}

function readEntry(rules: Rules, s: State, thief: Thief, e: Entry): Thief {
  const moved = { ...thief, cursor: e.seq }
  if (e.kind !== "commit") return moved
  const isOfA = e.by === "A" && e.path && e.maker === "A" && !thief.acted
  const healedAt = thief.healedAt ?? (isOfA ? e.seq : undefined)
  const letIn = e.answers.some((id) => s.knocks.some((it) => it.id === id && it.maker === "T"))
  const packages = e.answers.flatMap((id) => s.knocks.filter((it) => it.id === id && it.maker === "T"))
  const acted = thief.acted || (letIn && healedAt === undefined)
  const own = { ...moved, healedAt, acted, leaves: [...thief.leaves, ...packages.map(({ leaf }) => leaf)] }
  const opensWelcome = e.welcome === "good" && e.adds.some(([, leaf]) => own.leaves.includes(leaf))
  if (opensWelcome) return { ...own, epoch: epochAt(s, e), follows: true, intervals: [...thief.intervals, e.seq] }
  if (!thief.follows || !holds(rules, thief.epoch, e)) return own
  const isLost = e.removes.includes("A") || (e.path && (e.by === "A" || e.closedTo.includes("A")))
  if (isLost) return { ...own, follows: false }
  const epoch = successor(thief.epoch, e)
  return { ...own, epoch, intervals: e.path ? [...thief.intervals, e.seq] : thief.intervals }
}

function epochAt({ group }: State, { seq }: Entry) {
  for (let at: typeof group | undefined = group; at !== undefined; at = at.parent) if (at.id === seq) return at
  return group
}

// --- What nobody may be able to do -----------------------------------------------------------------------------------

/** What a stranger, a removed member, or a thief whose victim has renewed could do in this state: in words. */
export function* breaches(rules: Rules, s: State): Generator<string> {
  const { group, insider, thief } = s
  const tries = [made(s, "M", group), made(s, "M", group, message)]
  if (tries.some((e) => refusalOf(rules, s, e, { known: [], after: s.lastCommit }) === undefined))
    yield "a stranger appends"
  if (reachOf(rules, s, []) !== undefined) yield "a stranger reads"
  const removal = s.log.findLast((e) => e.removes.includes("M"))
  if (insider.length > 0 && group.tree.M === undefined && removal !== undefined) {
    if (tries.some((e) => refusalOf(rules, s, e, { known: insider, after: s.lastCommit }) === undefined)) {
      yield "a removed member appends"
    }
    if ((reachOf(rules, s, insider) ?? 0) > removal.seq) yield "a removed member reads past its removal"
  }
  if (thief === undefined || thief.healedAt === undefined || thief.acted) return
  const { healedAt } = thief
  if (thief.intervals.some((it) => it >= healedAt)) yield "a thief learns an interval that began after A renewed"
  const late = s.log.find((e) => e.seq > healedAt && e.kind === "commit" && e.maker === "T")
  if (late !== undefined) yield "a thief commits after A renewed"
}

/** Whose knocks were answered, and may not be: looked at when an honest member has answered. */
export function* wrongAnswers(before: State, s: State): Generator<string> {
  if (s.log.length === before.log.length) return
  const e = s.log.at(-1)!
  if (e.maker === "M" || e.answers.length === 0) return
  for (const id of e.answers) {
    const knock = s.knocks.find((it) => it.id === id)!
    const { maker, from, packageName } = knock
    const owner = before.members[from]
    if (maker === from && owner?.status === "following" && owner.epoch.id > 0)
      yield "a member that follows is taken out by its old knock"
    if (packageName !== from) yield "a stranger is let in by a knock"
    if (maker === "M" && from !== "M") yield "an insider's knock is answered as another member's"
    if (maker === "T" && before.thief?.healedAt !== undefined && !before.thief.acted) {
      yield "a thief is let in after A renewed"
    }
    const earlier = s.log.filter(
      (it) => it !== e && it.answers.some((at) => s.knocks.some((k) => k.id === at && k.maker === maker)),
    )
    if (maker === "M" && earlier.length > 0) yield "members answer somebody who knocks in a loop, without a pause"
  }
}
