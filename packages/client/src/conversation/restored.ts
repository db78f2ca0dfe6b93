import { noAccess } from "@conclave/contracts/access"
import { deliveryRequests, type Entry } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import { RuleError, StateError } from "@conclave/mls"
import type { IntervalKeys } from "../access/interval-keys.js"
import type { Outgoing, Wish, WishOf } from "../records/records.js"
import type { AnswerOf, DeliveryAnswer } from "../service/delivery.js"
import { HANDSHAKES_KEPT, type Handshake } from "./kept.js"
import { found, missing, mistrust } from "./missing.js"
import type { Next } from "./question.js"
import { following, isPauseOver, KNOCK_LEAVES_MAX, pauseAfter, type Rewinding, unobstructed } from "./recovery.js"
import { IDEMPOTENCY_ID_SIZE, idempotencyIdOf, moved } from "./request.js"
import { targetOf } from "./sending.js"
import type { Moment, State } from "./state.js"
import { stick } from "./stuck.js"
import type { Turn } from "./turn.js"

/**
 * A service that was restored from a backup says so by a later incarnation, and its logs may be shorter than they were. Whoever is
 * ahead of it goes back to where its own log and the service's part, and appends the handshakes after that once more, unchanged, so that all
 * members are in one epoch again. Nobody makes a new commit meanwhile. Where the logs part is known to the entry for handshakes;
 * messages before it may be read once more, and their keys are spent: see `wasReadBefore`.
 */

/** After a backup was restored, for those who were ahead of it to come. */
const QUIET_MILLISECONDS = 600_000
/** So far apart members append what is lost, so that about one does; all of them within this time. */
const TURN_MILLISECONDS = 1_000
const ALL_TURNS_MILLISECONDS = 30_000
const AGAIN = { first: 1_000, most: 5 * 60_000 }

/** What the service has signed for this device, it has signed before it was restored. */
export function isRestored({ state, moment }: Turn): boolean {
  const { head } = state.facts
  return head !== undefined && head.incarnation < (moment.service?.incarnation ?? 0n)
}

/** When new commits may be made again (Unix time in milliseconds); `undefined` where they may be. */
export function quietUntil({ facts }: State, { service, now }: Moment): number | undefined {
  if (service?.restoredAt === undefined || facts.leafSince > service.restoredAt) return undefined
  const until = Number(service.restoredAt) + QUIET_MILLISECONDS
  return until > now && now >= Number(service.restoredAt) ? until : undefined
}

/** Goes back to where the logs part, if that is what is wrong. */
export function rewindIfRestored(turn: Turn): Next | undefined {
  const { state } = turn
  if (!isRestored(turn)) return undefined
  state.recovery = following
  state.position.forget()
  state.rewinding = { tried: 0, asked: undefined, ancestor: undefined, parted: undefined, oldest: 0n }
  return "again"
}

export function rewind(turn: Turn, rewinding: Rewinding): Next {
  const { state } = turn
  if (state.isGroupMissing) return { type: "group" }
  if (!state.kept.isLoaded) return { type: "kept" }
  const provers = proversOf(state)
  if (rewinding.tried >= provers.length) return giveUp(turn)
  // What is before the first entry is the same in all logs of a group.
  if (rewinding.oldest <= 1n && state.chain.hashAt(0n) !== undefined) rewinding.ancestor ??= 0n
  const seq = nextToCompare(state, rewinding)
  if (seq === undefined) return goBack(turn, rewinding.ancestor)
  rewinding.asked = seq
  return { type: "rewind", after: seq - 1n, prover: provers[rewinding.tried] }
}

/** First the oldest of the last entries, of which a page shows all; then each time half of what is left. */
function nextToCompare({ chain }: State, { asked, ancestor = -1n, parted, oldest }: Rewinding): bigint | undefined {
  const left = chain.known.filter((seq) => seq > ancestor && seq >= oldest && (parted === undefined || seq < parted))
  const first = asked === undefined ? left.find((seq) => seq >= (chain.oldest ?? seq)) : undefined
  return first ?? left[left.length >> 1]
}

/**
 * From the newest one on: those that the kept handshakes were appended by, then older ones, each time twice as many further
 * back. Any that the service knows serves to knock with.
 */
export function proversOf({ kept, intervals }: State): readonly IntervalKeys[] {
  const provers: IntervalKeys[] = intervals.newest === undefined ? [] : [intervals.newest]
  const before = [...kept.all].reverse().flatMap((it) => it.before ?? [])
  for (const keys of [...before, ...intervals.older]) {
    if (!provers.some((it) => equalBytes(it.accessKey, keys.accessKey))) provers.push(keys)
  }
  return provers
}

export function onRewindPage(turn: Turn, answer: DeliveryAnswer): Next {
  const { state } = turn
  const { rewinding } = state
  if (rewinding?.asked === undefined) return "again"
  if (answer.type === "denied") {
    rewinding.tried++
    rewinding.asked = undefined
    return "again"
  }
  if (answer.type === "belowRetention" && answer.oldestSeq > rewinding.asked) {
    rewinding.oldest = answer.oldestSeq
    rewinding.ancestor = undefined
    return "again"
  }
  if (answer.type !== "entries") {
    state.rewinding = undefined
    missing(turn, answer)
    return "again"
  }
  rewinding.head = answer.headSeq
  rewinding.parted = least(rewinding.parted, least(answer.headSeq + 1n, partingIn(state, rewinding, answer)))
  return "again"
}

/**
 * An entry of the page that is not in both logs; `undefined` where all are that can be compared. Whatever the service
 * shows, more is known then of the entry that it was asked for.
 */
function partingIn({ chain }: State, rewinding: Rewinding, { entries }: AnswerOf<"entries">): bigint | undefined {
  if (entries[0]?.seq !== rewinding.asked) return rewinding.asked
  for (const { seq, chainHash } of entries) {
    const hash = chain.hashAt(seq)
    if (hash !== undefined && !equalBytes(hash, chainHash)) return seq
    if (hash !== undefined) rewinding.ancestor = seq
  }
  return undefined
}

const least = (one: bigint | undefined, other: bigint | undefined) =>
  one === undefined || (other !== undefined && other < one) ? other : one

function goBack(turn: Turn, ancestor: bigint | undefined): Next {
  const { state, moment } = turn
  const { kept, chain, position, facts } = state
  const hash = ancestor === undefined ? undefined : chain.hashAt(ancestor)
  if (ancestor === undefined || hash === undefined) return giveUp(turn)
  const lost = kept.all.filter(({ seq }) => seq === undefined || seq > ancestor)
  // There may be more than are kept.
  if (lost.length >= HANDSHAKES_KEPT && facts.keptNext > HANDSHAKES_KEPT) return giveUp(turn)
  state.rewinding = undefined
  for (const handshake of lost) kept.put(turn, state.key, { ...handshake, seq: undefined })
  const shift = facts.shift + position.cursor - ancestor
  const rewoundAt = lost.length === 0 ? undefined : BigInt(moment.now)
  // The entry by which this device came in is in its place again, most often, where it has not been read.
  const joinedAt = position.cursor < facts.joinedAt ? facts.joinedAt : 0n
  turn.update({ rewoundAt, shift, head: undefined, joinedAt })
  // The title may have been told in what is lost: some have read it, and others never will.
  if (position.cursor > ancestor && facts.title !== "") turn.update({ titleDueSince: state.epoch })
  position.move({ cursor: ancestor, chainHash: hash, lastCommit: undefined })
  chain.cut(ancestor)
  // Another backup may be restored before anything is read of this one: its signature is asked for.
  state.disputes.wantsService = true
  for (const [number, wish] of [...state.wishes]) {
    const isPlaced = "acceptedSeq" in wish && wish.acceptedSeq !== undefined && wish.acceptedSeq > ancestor
    if (isPlaced) turn.putWish(number, unplaced(turn, wish))
  }
  forgetHeard(state)
  state.stale = undefined
  state.accepted = undefined
  state.obstacle = unobstructed
  found(turn)
  turn.add({ type: "reach" })
  return "again"
}

/** What was read, and knocked, and is lost. */
function forgetHeard(state: State): void {
  state.heard.clear()
  state.committers.clear()
  // Who has left a knock leaves another. What answers one that the service does not have, nobody gets.
  state.visitors.clear()
  state.wantsKnocks = true
}

const GIVEN_UP = "the service was restored from a backup that is older than what this device can give back"

/**
 * What is lost is more than this device keeps, or it came after the backup. Others may bring back what it needs to be a member;
 * when they have had the time, it asks them to let it in again, by the newest interval that the service knows, from wherever
 * the log is then.
 */
function giveUp(turn: Turn): Next {
  const { state, moment } = turn
  const { rewinding, position, facts } = state
  const keys = rewinding && proversOf(state)[rewinding.tried]
  state.rewinding = undefined
  if (rewinding === undefined || keys === undefined || quietUntil(state, moment) !== undefined) {
    // What the service shows is found and given up again with each look.
    const incarnation = moment.service?.incarnation
    if (state.givenUpFor === incarnation) turn.update({ missingSince: facts.missingSince ?? BigInt(moment.now) })
    state.givenUpFor = incarnation
    mistrust(turn, GIVEN_UP)
    return "again"
  }
  // Nobody has signed how far the log goes: it is read from no later place than this device was at.
  goToHead(turn, rewinding.head ?? (rewinding.oldest > 0n ? rewinding.oldest - 1n : position.cursor))
  if (rewinding.tried > 0) {
    state.intervals.goBack(turn, state.key, keys)
    const leaves = state.kept.all.flatMap(({ ownLeaf }) => (ownLeaf.length === 0 ? [] : [ownLeaf]))
    turn.update({ knockLeaves: [...facts.knockLeaves, ...leaves].slice(-KNOCK_LEAVES_MAX) })
  }
  found(turn)
  stick(turn, GIVEN_UP)
  return { type: "reload" }
}

/** What this device has read is of no use any more: whoever lets it in may have read another log, and be of any epoch. */
function goToHead(turn: Turn, headSeq: bigint): void {
  const { position, chain, facts } = turn.state
  const cursor = headSeq < position.cursor ? headSeq : position.cursor
  const shift = facts.shift + position.cursor - cursor
  position.move({ cursor, chainHash: new Uint8Array(), lastCommit: undefined })
  chain.start(cursor, new Uint8Array())
  forgetHeard(turn.state)
  turn.update({ shift, head: undefined, joinedAt: 0n, epochFloor: 0n })
}

/**
 * The service shows a device that waits to be let in a log that is shorter than the one it has read, and has signed that
 * since it was restored; or nothing that it has signed says how long the log was.
 */
export function followHeadIfRestored(turn: Turn, headSeq: bigint): void {
  const { state } = turn
  if (headSeq < state.position.cursor && (isRestored(turn) || state.facts.head === undefined)) goToHead(turn, headSeq)
}

/**
 * Whether a message cannot be read because it was read before this device went back: nothing is lost. Of a message that
 * somebody has appended again, that is just as true.
 */
export function wasReadBefore({ facts }: State, { kind }: Entry, error: unknown): boolean {
  const isSpent = error instanceof StateError && error.code === "GENERATION_SPENT" && !error.isAhead
  return kind === "application" && isSpent && facts.shift > 0n
}

/**
 * The service was restored, and its log is the one that this device has read. It may have lost what it had accepted after that: that is
 * sent once more, as the same request. What it said of a subscription, it may have said before others gave back what it lost.
 */
export function sendAgain(turn: Turn): void {
  const { state, moment } = turn
  for (const [number, wish] of [...state.wishes]) {
    if (wish.type !== "message" && wish.type !== "leave") continue
    const { acceptedSeq: seq, outgoing } = wish
    if (seq === undefined || outgoing === undefined) continue
    const link = seq > state.position.cursor ? undefined : state.chain.linksBetween(seq - 1n, seq)?.[0]
    const isThere = link !== undefined && equalBytes(link.bodyHash, moment.identity.sha256(outgoing.body))
    if (!isThere) turn.putWish(number, unplaced(turn, wish))
  }
  turn.add({ type: "reach" })
}

// --- What is lost comes again ----------------------------------------------------------------------------------------

/** Whether an entry is a handshake that had been lost, and that somebody has appended again: this device has followed it. */
export function isKnownAgain(turn: Turn, entry: Entry): boolean {
  const { state } = turn
  const handshake = state.kept.find(entry)
  if (handshake === undefined) return false
  state.kept.put(turn, state.key, { ...handshake, seq: entry.seq })
  state.again = undefined
  if (handshake.begins !== undefined) turn.add({ type: "reach" })
  if (state.kept.lost.length === 0) endRestoring(turn)
  return true
}

/** A commit has ended the epoch of proposals that are lost: nobody takes them any more, and nothing waits for them. */
export function forgetEnded(turn: Turn, { epoch }: Entry): void {
  const { facts, kept, key } = turn.state
  if (facts.rewoundAt === undefined) return
  for (const it of kept.lost) if (it.kind === "proposal" && it.epoch <= epoch) kept.delete(turn, key, it)
  if (kept.lost.length === 0) endRestoring(turn)
}

function endRestoring(turn: Turn): void {
  turn.state.kept.forget()
  turn.state.again = undefined
  turn.update({ rewoundAt: undefined })
}

/**
 * Whether somebody has made another commit in the place of one that had been lost: the others follow that, and this device
 * cannot. It knocks by what both know. So it does where the same commit is there without its interval: to those who have read that, its
 * bytes are used up.
 */
export function isRival({ kept }: State, { kind, epoch }: Entry): boolean {
  return kind === "commit" && epoch === kept.lostCommit?.epoch
}

/** Whether a handshake is of the epoch that this device is in, and that the log does not lead to before what is lost is back. */
export function isTooEarly({ kept, epoch }: State, entry: Entry): boolean {
  return kept.lostCommit !== undefined && entry.epoch >= epoch
}

/**
 * Whether a commit may refer to a proposal that is lost, and that this device has not read: its author had, and had not heard of the backup.
 * Others have read it, too, and follow.
 */
export function mayNameLost(turn: Turn, { begins }: Entry, error: unknown): boolean {
  if (!(error instanceof RuleError) || error.rule !== "list-proposal-known" || begins === undefined) return false
  return isRestored(turn) || quietUntil(turn.state, turn.moment) !== undefined
}

/** The commit by which this device came in, while it is lost: what comes before it is of epochs that this device was not in. */
function lostEntrance({ facts, kept: { lost } }: State): Handshake | undefined {
  const [first] = lost
  return first?.kind === "commit" && first.epoch + 1n === facts.firstEpoch ? first : undefined
}

/**
 * Whether a handshake was never meant to be read here: others give back what came before this device did. A commit that registers a key is
 * none where nothing came between what the inviter had read and the entrance.
 */
export function isBeforeEntrance(state: State, { epoch, begins }: Entry): boolean {
  const entrance = lostEntrance(state)
  if (entrance === undefined || epoch > entrance.epoch) return false
  return begins === undefined || entrance.before === undefined
}

/** What this device knocks with is from before what was lost. */
export function forgetLost(turn: Turn): void {
  const { state } = turn
  const { lost } = state.kept
  const first = state.kept.lostCommit
  const before = first && lost.slice(lost.indexOf(first)).find((it) => it.before !== undefined)?.before
  if (before !== undefined) state.intervals.goBack(turn, state.key, before)
  const leaves = lost.flatMap(({ ownLeaf }) => (ownLeaf.length === 0 ? [] : [ownLeaf]))
  turn.update({ epochFloor: first?.epoch, knockLeaves: [...state.facts.knockLeaves, ...leaves] })
  endRestoring(turn)
}

/**
 * When this device appends what is lost, or waits no longer for others to do so (Unix time in milliseconds), if there is anything. `now`:
 * where the clock has been set back, nobody knows how long it has been, and it is late enough.
 */
export function againDue(state: State, now: number): number | undefined {
  const { facts, kept, again, group, outline } = state
  if (facts.rewoundAt === undefined || kept.lost.length === 0) return undefined
  if (waitsForEntrance(state)) return quietSince(facts.rewoundAt, now)
  const since = Number(facts.rewoundAt) > now ? 0 : Number(facts.rewoundAt)
  const count = group?.memberCount ?? outline.shown?.names.length ?? 1
  const own = Number(group?.ownLeafIndex ?? outline.shown?.ownLeafIndex ?? 0) % count
  const wait = Math.min(own * TURN_MILLISECONDS, Math.floor((own * ALL_TURNS_MILLISECONDS) / count))
  const retryAt = again === undefined || isPauseOver(again.retryAt, now) ? 0 : again.retryAt
  return Math.max(since + wait, retryAt)
}

/** Until when others may give back what this device cannot do without; where the clock has been set back, nobody knows how long it has been. */
export function quietSince(since: bigint, now: number): number {
  return Number(since) > now + QUIET_MILLISECONDS ? 0 : Number(since) + QUIET_MILLISECONDS
}

/** Whether the log has been read to its end since then: what is waited for may be there. Otherwise it is read again. */
export function hasLookedSince({ state }: Turn, due: number): boolean {
  const { seen } = state.disputes
  if (seen !== undefined && seen.at >= due) return true
  state.position.doubtHead()
  return false
}

/** Whether the commit is lost by which this device came in, and others have to give it back: see `keepEntrance`. */
function waitsForEntrance(state: State): boolean {
  const entrance = lostEntrance(state)
  return entrance !== undefined && entrance.before === undefined
}

export const NOT_GIVEN_BACK = "nobody has given back the commit by which this device came in, which the service lost"

/** Appends the first of what is lost; nothing else is sent before all of it is back. */
export function appendAgain(turn: Turn): Next {
  const { state, moment } = turn
  const due = againDue(state, moment.now)
  const [lost] = state.kept.lost
  if (due === undefined || lost === undefined) return "again"
  if (due > moment.now) return "idle"
  if (waitsForEntrance(state)) {
    if (!hasLookedSince(turn, due)) return "again"
    forgetLost(turn)
    stick(turn, NOT_GIVEN_BACK)
    return { type: "reload" }
  }
  if (state.position.needsLastCommit) return { type: "head", prover: state.prover }
  return { type: "send", sent: { of: "again" }, request: requestFor(turn, lost), prover: lost.before }
}

/**
 * Whoever appends it makes the same request: the service takes it once. Anybody can use up the id of that for something else, or in
 * another place, so what the log does not show after that has an id of its own.
 */
function requestFor(turn: Turn, { kind, epoch, body, begins }: Handshake): Uint8Array {
  const { state, moment } = turn
  const idempotencyId = state.again === undefined ? commonId(turn, body) : moment.random(IDEMPOTENCY_ID_SIZE)
  const nobody = { welcome: new Uint8Array(), recipients: [], answers: undefined }
  const commit = kind === "commit" ? { ...nobody, begins } : undefined
  const after = state.position.lastCommit ?? 0n
  const append = { groupId: state.id, idempotencyId, kind, epoch, body, commit, after, access: noAccess }
  return deliveryRequests.encode({ type: "append", ...append })
}

function commonId({ state, moment: { identity, service } }: Turn, body: Uint8Array): Uint8Array {
  const incarnation = new TextEncoder().encode(`conclave again ${service?.incarnation} `)
  return identity.sha256(incarnation, state.id, body).slice(0, IDEMPOTENCY_ID_SIZE)
}

/** What was accepted, and may be lost. A proposal is sent as others do who have read it, and give it back: it is there once. */
function unplaced(turn: Turn, wish: WishOf<"message" | "leave">): Wish {
  if (wish.type === "message" || wish.outgoing === undefined) return { ...wish, acceptedSeq: undefined }
  const id = commonId(turn, wish.outgoing.body)
  return { ...wish, outgoing: moved(targetOf(turn.state), wish.outgoing, () => id), acceptedSeq: undefined }
}

/** Whether a proposal of this device's is sent as others do who give it back: under which id, then. */
export function idAmongOthers(turn: Turn, sent: Outgoing): Uint8Array | undefined {
  const id = commonId(turn, sent.body)
  return equalBytes(idempotencyIdOf(sent), id) ? id : undefined
}

/** Only the log says that it is back: a service that accepts it and does not show it is asked no oftener than one that refuses. */
export function onAgainAnswer({ state, moment }: Turn): Next {
  state.position.doubtHead()
  state.again = pauseAfter(moment.now, state.again, AGAIN)
  return "again"
}
