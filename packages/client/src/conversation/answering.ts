import type { Knock, KnockTBS } from "@conclave/contracts/knocks"
import { equalBytes } from "@conclave/crypto"
import { includes, nameOf } from "@conclave/identity/verdicts"
import {
  DecodeError,
  decodeKeyPackage,
  type LeafIndex,
  type LeafNode,
  leafIndex,
  type Member,
  RuleError,
} from "@conclave/mls"
import { isSignedBy, openKnock } from "../access/knocks.js"
import { hex } from "../bytes.js"
import type { Addition, Answering, KnockRefusal } from "./admission.js"
import { stageCommit } from "./committing.js"
import type { Next } from "./question.js"
import type { State } from "./state.js"
import type { Turn } from "./turn.js"

/** As many as the service keeps for one key. */
const VISITORS_MAX = 1_024
/** One commit lets so many in. */
const AT_ONCE_MAX = 256
/** So far apart members answer, so that about one does; all of them within this time. */
const TURN_MILLISECONDS = 1_000
const ALL_TURNS_MILLISECONDS = 30_000
/** After a leaf was let in, not again for this time, in milliseconds; each time in a row twice as long. */
const LET_IN = { first: 600_000, most: 86_400_000 }
/** The same for whoever could not use the answer itself, or follow a second commit by the same member. */
const SHUT_OUT_FIRST = 10_000
/** Commits whose authors are remembered. */
const COMMITTERS_MAX = 256

/** The service shows knocks: all that wait, or one that has come. */
export function hearKnocks({ visitors }: State, knocks: readonly Knock[], now: number): void {
  for (const knock of knocks) {
    const key = hex(knock.id)
    if (!visitors.has(key) && visitors.size < VISITORS_MAX) visitors.set(key, { knock, since: now })
  }
}

/** When this device's turn comes to answer somebody (Unix time in milliseconds). */
export function answerDue({ visitors, group, outline }: State): number | undefined {
  const count = group?.memberCount ?? outline.shown?.names.length ?? 1
  const own = Number(group?.ownLeafIndex ?? outline.shown?.ownLeafIndex ?? 0)
  let due: number | undefined
  for (const { knock, since } of visitors.values()) {
    // Each knock begins with another member.
    const turn = (own + ((knock.id[0] ?? 0) << 8) + (knock.id[1] ?? 0)) % count
    const wait = Math.min(turn * TURN_MILLISECONDS, Math.floor((turn * ALL_TURNS_MILLISECONDS) / count))
    due = Math.min(due ?? Number.POSITIVE_INFINITY, since + wait)
  }
  return due
}

interface Admitted extends Answering {
  /** When it may be let in (Unix time in milliseconds). */
  readonly due: number
  /** How many leaves it claims, and when the service was given it. */
  readonly claimed: number
  readonly at: bigint
}

/**
 * Lets in whoever has knocked, is a member and shows it: one commit takes all of them out and in again. Those who are not
 * let in are forgotten: it does not get truer. So are all knocks of a leaf but the newest.
 */
export function answerKnocks(turn: Turn): Next {
  const { state, moment } = turn
  const newest = new Map<LeafIndex, Admitted>()
  for (const [key, { knock }] of [...state.visitors]) {
    const visitor = admissible(turn, knock)
    if (typeof visitor === "string") {
      state.visitors.delete(key)
      turn.add({ type: "note", of: "knock", why: visitor })
      continue
    }
    const other = newest.get(visitor.leaf)
    const isNewest = other === undefined || isAfter(visitor, other)
    if (isNewest) newest.set(visitor.leaf, visitor)
    const older = isNewest ? other : visitor
    if (older !== undefined) state.visitors.delete(hex(older.answer.knock))
  }
  for (const { answer, due } of newest.values()) {
    const key = hex(answer.knock)
    const { knock } = state.visitors.get(key)!
    if (due > moment.now) state.visitors.set(key, { knock, since: due })
  }
  const admitted = [...newest.values()].filter(({ due }) => due <= moment.now).slice(0, AT_ONCE_MAX)
  return admitted.length === 0 ? "again" : (letIn(turn, admitted) ?? letInOne(turn, admitted))
}

/** Whoever knocks again has given up the knock before, and claims the leaf of its key package as well. */
function isAfter(one: Admitted, other: Admitted): boolean {
  return one.claimed === other.claimed ? one.at > other.at : one.claimed > other.claimed
}

/** `undefined` where somebody's key package cannot be added. */
function letIn(turn: Turn, admitted: readonly Answering[]): Next | undefined {
  const remove = admitted.map(({ leaf }) => leaf)
  try {
    return stageCommit(turn, { add: admitted, remove, fulfils: [], done: [], judgements: [], renew: true })
  } catch (error) {
    if (error instanceof RuleError || error instanceof DecodeError) return undefined
    throw error
  }
}

/** The commit that was to let them in could not be made. */
export function onLetInFailed(turn: Turn, admitted: readonly Addition[]): Next {
  const visitors = admitted.filter((it) => "answer" in it)
  if (visitors.length > 1) return letInOne(turn, visitors)
  for (const { answer } of visitors) forget(turn, answer.knock)
  return "again"
}

function forget(turn: Turn, knock: Uint8Array): void {
  turn.state.visitors.delete(hex(knock))
  turn.add({ type: "note", of: "knock", why: "its key package cannot be added" })
}

/** The first who can be let in; those before are forgotten. A member's key package must not keep others from speaking. */
function letInOne(turn: Turn, admitted: readonly Answering[]): Next {
  for (const one of admitted) {
    const next = letIn(turn, [one])
    if (next !== undefined) return next
    forget(turn, one.answer.knock)
  }
  return "again"
}

/** Whom a knock lets in, and when; or why it lets nobody in. */
function admissible(turn: Turn, knock: Knock): Admitted | KnockRefusal {
  const { state, moment } = turn
  const group = state.group!
  const { suite } = moment.identity
  const interval = state.intervals.find(knock.key)
  if (interval === undefined) return "its interval is not known here"
  const opened = openKnock(state.id, knock, interval.keys)
  if (opened === undefined) return "it cannot be opened"
  const { content } = opened
  const offered = leafIn(content)
  const index = offered && leafOf(state, offered)
  if (offered === undefined || index === undefined) return "its leaf is not in the tree"
  const member = group.member(index)
  const leaf = group.leafNode(index)
  if (member === undefined || leaf === undefined) return "its leaf is not in the tree"
  if (index === group.ownLeafIndex) return "it is of this very leaf"
  if (moment.revoked.since(nameOf(member.credential) ?? "", member.signatureKey) !== undefined)
    return "its device was revoked"
  if (state.isUnapproved(member.signatureKey)) return "its key has not been approved"
  if (!includes(content.leafNodeHashes, suite.hash.digest(leaf))) return "its leaf has been replaced"
  if (!isSignedBy(suite, opened, member.signatureKey)) return "its signature is not that of its leaf"
  if (interval.number < sinceOf(state, index)) return "its interval is older than its leaf"
  if ((state.heard.get(index) ?? 0n) > content.seen) return "its leaf has been heard since"
  if (nameOf(offered.credential) !== nameOf(member.credential)) return "its key package is somebody else's"
  const { keyPackage, leafNodeHashes } = content
  const answer = { knock: knock.id, keys: interval.keys }
  const due = waitOf(state, member, content)
  return { keyPackage, leaf: index, answer, due, claimed: leafNodeHashes.length, at: knock.at }
}

function sinceOf({ outline }: State, index: LeafIndex): number {
  const node = outline.shown?.nodes[2 * index]
  return node?.type === "leaf" ? node.since : Number.POSITIVE_INFINITY
}

/** The leaf with the key of the knock's key package. */
function leafOf({ outline }: State, { signatureKey }: LeafNode): LeafIndex | undefined {
  const nodes = outline.shown?.nodes ?? []
  const at = nodes.findIndex((it) => it.type === "leaf" && equalBytes(it.signatureKey, signatureKey))
  return at === -1 ? undefined : leafIndex(at / 2)
}

function leafIn({ keyPackage }: KnockTBS): LeafNode | undefined {
  try {
    return decodeKeyPackage(keyPackage).leafNode
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

/**
 * When a leaf may be let in (Unix time in milliseconds). Whoever cannot follow a later commit by somebody else, or use the
 * answer, does not wait so long: at once for the first commit of each committer, and each time twice as long as before.
 */
function waitOf({ letIn, committers }: State, member: Member, { stuckAt }: KnockTBS): number {
  const own = hex(member.signatureKey)
  const last = letIn.get(own)
  if (last === undefined) return 0
  const { at, times, seq, stuckBy } = last
  const committer = stuckAt === undefined ? undefined : committers.get(stuckAt)
  if (stuckAt === seq) return at + doubled(SHUT_OUT_FIRST, times)
  if (stuckAt === undefined || stuckAt < seq || committer === undefined || committer === own) {
    return at + doubled(LET_IN.first, times)
  }
  const before = stuckBy.get(committer) ?? 0
  return before === 0 ? 0 : at + doubled(SHUT_OUT_FIRST, before)
}

const doubled = (first: number, times: number) => Math.min(LET_IN.most, first * 2 ** Math.min(times - 1, 30))

/** Who has made a commit: knocks say which one they could not follow. */
export function noteCommitter({ state }: Turn, committer: Member | undefined, seq: bigint): void {
  if (committer === undefined) return
  state.committers.set(seq, hex(committer.signatureKey))
  if (state.committers.size > COMMITTERS_MAX) state.committers.delete(state.committers.keys().next().value!)
}

/**
 * A commit has taken members out and in again: how often, and since when their leaves count as set: as before, until they
 * renew them. Whoever cannot use the answer to a knock knocks again with what it knew.
 */
export function noteLetIn(
  { state, moment }: Turn,
  members: readonly Member[],
  seq: bigint,
): ReadonlyMap<number, number> {
  const since = new Map<number, number>()
  const nodes = state.outline.shown?.nodes ?? []
  for (const { signatureKey, leafIndex: index } of members) {
    const before = nodes.find((it) => it.type === "leaf" && equalBytes(it.signatureKey, signatureKey))
    if (before?.type === "leaf") since.set(2 * index, before.since)
    const key = hex(signatureKey)
    const last = state.letIn.get(key)
    const isInARow = last !== undefined && moment.now < last.at + 2 * LET_IN.most
    const stuckBy = new Map(isInARow ? last.stuckBy : [])
    const committer = committerFor({ state, moment }, signatureKey)
    if (committer !== undefined) stuckBy.set(committer, (stuckBy.get(committer) ?? 0) + 1)
    state.letIn.set(key, { times: isInARow ? last.times + 1 : 1, at: moment.now, seq, stuckBy })
  }
  return since
}

/** Whose commit the knock names by which a device has been let in, if this device has heard of it. */
function committerFor({ state, moment }: Pick<Turn, "state" | "moment">, signatureKey: Uint8Array): string | undefined {
  const { id, visitors, intervals, committers } = state
  for (const { knock } of visitors.values()) {
    const interval = intervals.find(knock.key)
    const opened = interval && openKnock(id, knock, interval.keys)
    if (opened === undefined || !isSignedBy(moment.identity.suite, opened, signatureKey)) continue
    const { stuckAt } = opened.content
    return stuckAt === undefined ? undefined : committers.get(stuckAt)
  }
  return undefined
}
