/** How an honest member follows the log: `conversation/log`. */
import type { Rules } from "./rules.js"
import { holds, reachOf, successor } from "./service.js"
import {
  change,
  type Entry,
  type Epoch,
  knockLeaf,
  type Member,
  type Name,
  newest,
  pathLeaf,
  type State,
} from "./state.js"

/** Follows everything that the service shows. */
export function readOn(rules: Rules, s: State, name: Name): State {
  let member = s.members[name]!
  for (;;) {
    const end = reachOf(rules, s, member.intervals) ?? 0
    const isStuckReader = member.status === "recovering" && !rules.stuckFollowsNothing
    if (member.cursor >= end || (member.status !== "following" && !isStuckReader)) break
    const entry = s.log[member.cursor]!
    member = isStuckReader ? readStuck(rules, s, name, member, entry) : follow(rules, s, name, member, entry)
  }
  return member === s.members[name] ? s : change(s, name, member)
}

export const canRead = (rules: Rules, s: State, { status, cursor, intervals }: Member): boolean => {
  const isReader = status === "following" || (status === "recovering" && !rules.stuckFollowsNothing)
  return isReader && cursor < (reachOf(rules, s, intervals) ?? 0)
}

const stop = (member: Member, { seq }: Entry): Member => ({ ...member, status: "stopped", cursor: seq, alarmed: true })
const moveOn = (member: Member, { seq }: Entry): Member => ({ ...member, cursor: seq })
/** The cursor stays before what cannot be followed. */
const stick = (member: Member, stuckAt: number | undefined): Member => ({
  ...member,
  ...{ status: "recovering", stuckAt, renews: false, alarmed: true },
})

function follow(rules: Rules, s: State, name: Name, member: Member, e: Entry): Member {
  if (e.kind === "message") {
    const moved = moveOn(member, e)
    const isHeard = e.by !== name && member.epoch.tree[e.by] !== undefined
    return isHeard ? { ...moved, heard: { ...member.heard, [e.by]: e.seq } } : moved
  }
  // Passed over before it is opened: of a past epoch, or what this member has sent itself, as far as it can tell.
  const isPassedOver = e.fault === "past" || e.fault === `own-${name}` || isOfPast(member.epoch, e)
  if (isPassedOver) return e.key !== undefined && rules.passedOverKeyStops ? stop(member, e) : moveOn(member, e)
  if (!holds(rules, member.epoch, e))
    return e.key !== undefined && rules.garbageKeyStops ? stop(member, e) : moveOn(member, e)
  // Nobody opens what takes them out: also where they are put in again.
  if (e.removes.includes(name)) return { ...moveOn(member, e), status: "left", intervals: [], knock: undefined }
  if (e.by === name && e.maker !== name) return stick(member, undefined)
  if (e.by !== name && e.path && e.closedTo.includes(name)) return stick(member, e.seq)
  if (e.key !== undefined && e.key !== e.seq && rules.keyCompared) return stop(member, e)
  return apply(rules, s, name, member, e)
}

function isOfPast(epoch: Epoch, e: Entry): boolean {
  for (let at = epoch.parent; at !== undefined; at = at.parent) if (at.id === e.epoch) return true
  return false
}

function apply(rules: Rules, s: State, name: Name, member: Member, e: Entry): Member {
  const epoch = successor(member.epoch, e)
  const intervals = e.path ? [...member.intervals, e.seq] : member.intervals
  const since = { ...member.since }
  const heard = { ...member.heard }
  const letIn = { ...member.letIn }
  for (const it of e.removes) {
    delete since[it]
    delete heard[it]
  }
  for (const [it] of e.adds) {
    since[it] = epoch.interval
    if (!e.removes.includes(it)) continue
    since[it] = ageOfReadded(rules, s, member, it) ?? epoch.interval
    letIn[it] = e.seq
  }
  if (e.path) {
    since[e.by] = epoch.interval
    if (e.by !== name) heard[e.by] = e.seq
  }
  const renews = member.renews && !(e.by === name && e.path)
  return { ...moveOn(member, e), status: "following", epoch, intervals, since, heard, letIn, renews }
}

/** As old as the leaf in whose place it is; or as the interval of a knock of which this member has heard. */
function ageOfReadded(rules: Rules, s: State, { since, visitors, intervals }: Member, name: Name): number | undefined {
  if (rules.readdedKeepsAge) return since[name]
  let found: number | undefined
  for (const id of visitors) {
    const knock = s.knocks.find((it) => it.id === id)!
    if (knock.from === name && intervals.includes(knock.interval)) found = knock.interval
  }
  return found
}

/** With the rule left out: it follows another commit for its epoch, wherever that is in the log. */
function readStuck(rules: Rules, s: State, name: Name, member: Member, e: Entry): Member {
  const opens =
    holds(rules, member.epoch, e) && !e.closedTo.includes(name) && !e.removes.includes(name) && e.by !== name
  return opens ? apply(rules, s, name, member, e) : moveOn(member, e)
}

/** Whether `name` has the private keys of its leaf in the tree. */
export function holdsLeaf(s: State, name: Name): boolean {
  const leaf = s.group.tree[name]
  if (leaf === undefined) return false
  const knock = s.knocks.find(({ id }) => knockLeaf(id) === leaf)
  if (knock !== undefined) return knock.maker === name
  const set = s.log.find((e) => pathLeaf(e.seq) === leaf)
  return set === undefined ? leaf < 100 : set.maker === name
}

/** Whether a member at the head of the log can append a commit now. */
export const isAtHead = (s: State, { status, cursor }: Member): boolean =>
  status === "following" && cursor === s.log.length

/** Whether an append by a member that follows would be taken: it proves the newest interval that it knows. */
export const knowsNewestKey = (s: State, { intervals }: Member): boolean => s.keys.at(-1)!.key === newest(intervals)
