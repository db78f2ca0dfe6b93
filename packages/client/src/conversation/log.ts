import type { Entry } from "@conclave/contracts/delivery"
import { chainLink, chainLinkHash } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import { type Judgement, nameOf } from "@conclave/identity/verdicts"
import { type Group, type Received, RuleError, type StagedCommit, StateError, seenBy } from "@conclave/mls"
import type { IntervalKeys } from "../access/interval-keys.js"
import { THIS_DEVICE_REVOKED } from "../errors.js"
import { headInHandshake } from "../heads/claims.js"
import { type DeliveryAnswer, toldBy } from "../service/delivery.js"
import { announce, isAmong, nameOfMember } from "./announcing.js"
import { noteCommitter, noteLetIn } from "./answering.js"
import { beginAtEntrance, isBeforeOwn, keepEntrance, skipToEntrance } from "./entrance.js"
import { breaksRegistration, intervalBegun } from "./epoch-interval.js"
import { compareHead, confirmFirst, followsClaim, isWithheld, probe } from "./heads.js"
import { noteCommit } from "./inspecting.js"
import { hold, nobodyJudged } from "./judging.js"
import { mislabelled } from "./label.js"
import { forgetDepartures, leaveNow, markLeaving, takeProposal } from "./leaving.js"
import { announceTitleIfDue, ownMessageAt, placeOwn, placePassed, takeMessage } from "./messages.js"
import { found, missing, mistrust } from "./missing.js"
import type { Answers, Next, QuestionOf } from "./question.js"
import { following, unobstructed } from "./recovery.js"
import { noteRenewed } from "./renewing.js"
import {
  forgetEnded,
  forgetLost,
  isBeforeEntrance,
  isKnownAgain,
  isRival,
  isTooEarly,
  mayNameLost,
  rewindIfRestored,
  wasReadBefore,
} from "./restored.js"
import type { State } from "./state.js"
import { stick } from "./stuck.js"
import type { Turn } from "./turn.js"
import { LOST_MAX, noteUnseen, unseenOf } from "./unseen.js"

/** Entries that one transaction follows, and the bytes after which it takes no more. */
const ENTRIES_AT_ONCE = 128
const BYTES_AT_ONCE = 1 << 20
/** Of a commit, for each member that it adds or reaches, at least. */
const BYTES_FOR_MEMBER = 80

/** The log cannot be followed past the entry `seq`, at least not with the state that is in memory. */
interface Fault {
  readonly seq: bigint
  readonly reason: string
  /** The commit that cannot be followed; otherwise the log itself is at fault. */
  readonly stuckAt?: bigint
  /** The log is not at fault: it does not go back so far. */
  readonly mayKnock?: true
}

/** What following an entry came to. A fault has changed nothing that may not be stored. */
type Followed = "followed" | "group needed" | "staged" | "reload" | QuestionOf<"open"> | Fault

/** Follows what has been brought, and asks for what has not. */
export function readLog(turn: Turn): Next {
  const { state } = turn
  const { position } = state
  for (let entries = 0, bytes = 0; state.isFollowing; entries++) {
    const entry = position.next()
    if (entry === undefined) {
      if (position.isAtHead) return "again"
      confirmFirst(turn)
      return { type: "read", after: position.cursor, prover: state.prover }
    }
    if (entries >= ENTRIES_AT_ONCE || bytes >= BYTES_AT_ONCE) return { type: "more" }
    bytes += entry.body.length
    const followed = follow(turn, entry)
    if (followed !== "followed") return nextAfter(turn, followed)
  }
  position.forget()
  return "again"
}

function nextAfter(turn: Turn, followed: Followed): Next {
  if (followed === "group needed") return { type: "group" }
  if (followed === "reload") return { type: "reload" }
  if (followed === "staged" || followed === "followed") return "again"
  return "type" in followed ? followed : doubt(turn, followed)
}

export function onPage(turn: Turn, answer: DeliveryAnswer): Next {
  const { position } = turn.state
  // Restored from a backup, perhaps: what it says of itself says so, and by what key.
  if (isLaterIncarnation(turn, answer)) return { type: "service", prover: turn.state.prover }
  if (answer.type === "entries") {
    const { cursor, chainHash } = position
    const { headSeq } = answer
    // A Welcome says where its commit is, and nothing has been read yet that would confirm it.
    if (chainHash.length === 0 && (headSeq < cursor || headSeq < turn.state.facts.joinedAt)) {
      position.move({ cursor: headSeq < cursor ? headSeq : cursor, chainHash, lastCommit: undefined })
      turn.update({ joinedAt: 0n })
      return "again"
    }
    if (headSeq < cursor) {
      // Restored from a backup, or not the log that this device was led to: the place of its last commit is of no use.
      const rewound = rewindIfRestored(turn)
      if (rewound !== undefined) return rewound
      position.forgetLastCommit()
      turn.moved()
      return doubt(turn, { seq: cursor, reason: "the log is shorter than it was" })
    }
    const isEnd = !answer.entries.some(({ seq }) => seq > cursor)
    if (cursor < headSeq && isEnd) {
      return doubt(turn, { seq: headSeq, reason: "the log is shorter than its head" })
    }
    if (isEnd) {
      found(turn)
      turn.state.disputes.seen = { seq: cursor, at: turn.moment.now }
    }
    position.read(answer.entries, headSeq, toldBy(answer))
  } else if (answer.type === "belowRetention") {
    const { cursor } = position
    if (skipToEntrance(turn, answer.oldestSeq)) return "again"
    return doubt(turn, { seq: cursor, reason: "this device was away for too long", mayKnock: true })
  } else if (answer.type === "denied") {
    // A service that was restored does not know the newest key.
    if (turn.state.disputes.mayAsk(turn.moment.now)) return { type: "service", prover: turn.state.prover }
    missing(turn, answer)
  } else missing(turn, answer)
  return "again"
}

function isLaterIncarnation({ state, moment }: Turn, answer: DeliveryAnswer): boolean {
  if (answer.type !== "entries" || moment.service === undefined) return false
  return answer.incarnation > moment.service.incarnation && state.disputes.mayAsk(moment.now)
}

/**
 * The steps of recovery: the log is read again, with a state that is read again too; then this device knocks, or waits for
 * the log that the service owes.
 */
function doubt(turn: Turn, { seq, reason, stuckAt, mayKnock }: Fault): Next {
  const { state } = turn
  const { recovery } = state
  state.position.forget()
  const rewound = stuckAt === undefined && !mayKnock ? rewindIfRestored(turn) : undefined
  if (rewound !== undefined) return rewound
  // Wherever the second fault is: a service that moves it each time is not asked for ever.
  if (recovery.type === "following") state.recovery = { type: "doubting", seq }
  else if (stuckAt !== undefined || mayKnock) stick(turn, reason, stuckAt)
  else {
    state.recovery = following
    if (followsClaim(turn)) {
      turn.reject("FALSE_HEAD", `the log does not go on from what whoever invited this device had read: ${reason}`)
      beginAtEntrance(turn)
    } else mistrust(turn, reason)
    return probe(turn) ?? { type: "reload" }
  }
  return { type: "reload" }
}

/**
 * Nobody can go on from here: a member has registered a key with the service that no other member knows. There is no way
 * back, so the entry is read twice: one wrong answer of the service stops nothing.
 */
function stop(turn: Turn, entry: Entry, { by, reason }: { readonly by: string; readonly reason: string }): Followed {
  const { state } = turn
  const { recovery } = state
  if (recovery.type !== "doubting" || recovery.seq !== entry.seq) return { seq: entry.seq, reason }
  moveOn(turn, entry)
  turn.saveGroup()
  turn.putCommit(undefined)
  state.position.forget()
  turn.update({ status: "stopped", reason })
  turn.emit({ type: "stopped", conversation: state.id, by, reason })
  // Messages can still be said in a group that continues this one.
  for (const [number, wish] of [...state.wishes]) {
    if (wish.type !== "message") turn.fail(number, { code: "LOST", reason })
  }
  return "followed"
}

/**
 * Follows the log by one entry. What was received, where the cursor stands, and what it means to the application are
 * stored in one transaction.
 */
function follow(turn: Turn, entry: Entry): Followed {
  const { state } = turn
  const { seq, kind } = entry
  if (seq !== state.position.cursor + 1n) return { seq, reason: "the log has a gap" }
  if (!isChained(turn, entry)) return { seq, reason: "the log's chain is broken" }
  const own = ownMessageAt(turn, entry)
  const isOfOthers = isBeforeOwn(state, entry)
  // A member who leaves follows the commits until one of them carries it out, and reads no message any more. Of a
  // message that has expired, the service keeps the place.
  const isUnread = kind === "expired" || (state.facts.status === "leaving" && kind === "application")
  const isEntrance = seq >= state.facts.joinedAt || state.awaitsEntrance
  if (isOfOthers && isEntrance && state.isGroupMissing) return "group needed"
  if (own !== undefined || isOfOthers || isUnread) {
    if (own !== undefined) placeOwn(turn, entry, own)
    else if (!isOfOthers) noteUnseen(turn, entry)
    if (own === undefined && kind === "expired" && isWithheld(turn, seq)) {
      turn.reject("WITHHELD", `the service says that message ${seq} has expired, and it is not a day old`)
    }
    if (isOfOthers) keepEntrance(turn, entry)
    moveOn(turn, entry)
    return "followed"
  }
  if (state.group === undefined) return "group needed"
  if (state.awaitsEntrance && kind !== "application") {
    const what = `${kind} ${seq} comes before the commit by which this device came in`
    if (entry.begins === undefined) return passOver(turn, entry, what)
    // It may be that the commit will not come: a member can have encrypted it once more.
    stick(turn, `${what}, and registers a key`)
    return "reload"
  }
  const wrong = mislabelled(entry)
  if (wrong !== undefined) return passOver(turn, entry, `${kind} ${seq} of epoch ${entry.epoch} ${wrong}`)
  if (state.facts.rewoundAt !== undefined && kind !== "application") {
    if (isKnownAgain(turn, entry)) {
      moveOn(turn, entry)
      return "followed"
    }
    if (isRival(state, entry)) {
      forgetLost(turn)
      stick(turn, `commit ${seq} took the place of one that the service lost when it was restored`)
      return "reload"
    }
    if (isBeforeEntrance(state, entry)) {
      moveOn(turn, entry)
      return "followed"
    }
    if (isTooEarly(state, entry)) {
      return passOver(turn, entry, `${kind} ${seq} comes before what the service lost when it was restored`)
    }
  }
  // A commit or proposal may lead to what is not stored: what came before it is.
  if (kind !== "application") turn.flushGroup()
  const { group } = state
  const options = { skippedMax: LOST_MAX + unseenOf(turn, entry.epoch) }
  if (kind === "commit" && entry.body.length >= turn.moment.slicedFrom * BYTES_FOR_MEMBER) {
    return { type: "open", entry, work: group.openMessage(entry.body, options) }
  }
  return receive(turn, entry, () => group.receive(entry.body, options))
}

/** Garbage in the eyes of all members, without a look into it. */
function passOver(turn: Turn, entry: Entry, what: string): Followed {
  if (entry.begins !== undefined) return stop(turn, entry, { reason: `${what}, and registers a key`, by: "" })
  moveOn(turn, entry)
  turn.reject("UNREADABLE", `${what}: it was passed over`)
  return "followed"
}

/** A commit that adds, or reaches, many was opened in slices. */
export function onOpened(turn: Turn, { entry }: QuestionOf<"open">, answer: Answers["open"]): Next {
  const followed = receive(turn, entry, (group) => {
    if ("failure" in answer) throw answer.failure
    return group.receiveOpened(answer.done)
  })
  return nextAfter(turn, followed)
}

/** Takes in what the entry holds. */
function receive(turn: Turn, entry: Entry, open: (group: Group) => Received): Followed {
  const { state } = turn
  const { seq, kind } = entry
  let received: Received
  try {
    received = open(state.group!)
  } catch (error) {
    return refuse(turn, entry, error)
  }
  if (received.type === "commit") {
    const { own, staged } = received
    const begun = intervalBegun(state, turn.moment.identity.suite, { entry, staged })
    const passed = examineCommit(turn, entry, { staged, begun })
    if (passed !== undefined) return passed
    state.staged = { type: "entry", entry, own, staged, interval: begun || undefined }
    if (staged.claims.length > 0) return "staged"
    followCommit(turn, nobodyJudged)
    return "followed"
  }
  if (entry.begins !== undefined) {
    return stop(turn, entry, { by: "", reason: `${kind} ${seq} registers a key and is of no epoch that comes` })
  }
  const isOwn = received.type === "ignored" && received.reason === "own-message"
  if (isOwn && kind !== "application" && turn.isGivenUp(entry.body)) {
    stick(turn, `the service refused a ${kind} of this device, and placed it nevertheless`)
    return "reload"
  }
  moveOn(turn, entry)
  turn.saveGroup()
  const sender = received.type === "ignored" ? undefined : received.sender
  if (sender !== undefined) state.heard.set(sender.leafIndex, entry.seq)
  if (received.type === "proposal") {
    compareHead(turn, { seq, by: sender, claim: headInHandshake(received.authenticatedData) })
    keepHandshake(turn, entry)
  }
  if (received.type === "application") takeMessage(turn, entry, received)
  else if (received.type === "proposal") takeProposal(turn, received)
  else if (isOwn) settleLeave(turn, entry)
  return "followed"
}

/** A commit that registers something else than it has to is passed over, or stops the conversation. */
function examineCommit(turn: Turn, entry: Entry, { staged, begun }: Examined): Followed | undefined {
  const { state } = turn
  const { seq } = entry
  const by = nameOfMember(staged.committer)
  const broken = breaksRegistration(state, entry, staged)
  if (broken !== undefined && entry.begins === undefined) {
    moveOn(turn, entry)
    turn.saveGroup()
    turn.reject("UNREADABLE", `commit ${seq}, by ${by}, was passed over: ${broken}`)
    return "followed"
  }
  if (broken === undefined && begun !== false) return undefined
  return stop(turn, entry, { by, reason: `commit ${seq} ${broken ?? "registers a key that does not follow from it"}` })
}

interface Examined {
  readonly staged: StagedCommit
  readonly begun: ReturnType<typeof intervalBegun>
}

/** The chain covers all that came before: two members with the same hash have read the same log. */
function isChained({ state, moment }: Turn, entry: Entry): boolean {
  const before = state.position.chainHash
  if (entry.chainHash.length !== 32 || (entry.kind === "expired" && entry.body.length !== 32)) return false
  if (before.length === 0) return true
  const sha256 = (...parts: readonly Uint8Array[]) => moment.identity.sha256(...parts)
  const { seq } = entry
  const link = chainLink(sha256, entry)
  const hash = chainLinkHash(sha256, before, { seq, link })
  if (!equalBytes(hash, entry.chainHash)) return false
  state.chain.offer({ seq, link, before, hash })
  return true
}

function moveOn(turn: Turn, entry: Entry): void {
  const { state } = turn
  state.position.followed(entry)
  state.chain.follow(entry.seq, entry.chainHash)
  turn.moved()
  found(turn)
  const { recovery } = state
  if (recovery.type !== "doubting" || recovery.seq <= entry.seq) state.recovery = following
  placePassed(turn)
}

/** A request of this device to be removed has come back: it has its place in the log. */
function settleLeave(turn: Turn, entry: Entry): void {
  for (const [number, wish] of [...turn.state.wishes]) {
    if (wish.type !== "leave" || wish.outgoing === undefined || !equalBytes(wish.outgoing.body, entry.body)) continue
    markLeaving(turn, [number, wish], entry.seq)
    return
  }
}

// --- What cannot be received -----------------------------------------------------------------------------------------

/**
 * The first commit of an epoch that breaks no rule whose breach every member sees alike is the only one that holds; all
 * others are passed over by everybody, whatever the service thinks of them. What is wrong for this device alone stops
 * it. Any other message that cannot be read is the loss of one message.
 */
function refuse(turn: Turn, entry: Entry, error: unknown): Followed {
  const { state } = turn
  const { seq, kind } = entry
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof StateError && error.code === "STATE_ROLLED_BACK") {
    // Sent by this device, and it does not know: others have seen a later state of it than this one. Nothing may be
    // encrypted from here, or a key and nonce would be used twice.
    const what = `${kind} ${seq} is signed as this device, which did not make it`
    turn.emit({ type: "copied", conversation: state.id, reason: what })
    stick(turn, "this device's state was put back to an earlier one")
    return "reload"
  }
  const sender = provenSender(state, error)
  const what = sender === undefined ? `${kind} ${seq}` : `${kind} ${seq}, by ${sender},`
  if (kind === "commit" && seenBy(error) === "self") {
    return { seq, reason: `${what} cannot be followed: ${reason}`, stuckAt: seq }
  }
  // Only the chain tells a commit that does not hold from one that was damaged on its way: without it, read again.
  const isDoubted = state.recovery.type === "doubting" && state.recovery.seq === seq
  if (kind === "commit" && state.position.chainHash.length === 0 && !isDoubted) {
    return { seq, reason: `${what} cannot be read: ${reason}` }
  }
  if (mayNameLost(turn, entry, error)) return { seq, reason: `${what} cannot be followed: ${reason}`, stuckAt: seq }
  if (entry.begins !== undefined) {
    return stop(turn, entry, { by: sender ?? "", reason: `${what} registers a key and does not hold: ${reason}` })
  }
  moveOn(turn, entry)
  turn.saveGroup()
  if (wasReadBefore(state, entry, error)) return "followed"
  if (error instanceof StateError && error.code === "FORWARD_BUDGET_SPENT") noteUnseen(turn, entry)
  // Framed before this device came, or in an epoch that the log does not lead to: not meant to be read here.
  if (entry.epoch < state.facts.firstEpoch) return "followed"
  turn.reject((error as { code?: string }).code ?? "UNREADABLE", `${what} was passed over: ${reason}`)
  return "followed"
}

/** Who signed a message that breaks a rule. */
function provenSender({ group }: State, error: unknown): string | undefined {
  if (!(error instanceof RuleError) || error.sender === undefined) return undefined
  const member = group?.member(error.sender)
  return member && nameOf(member.credential)
}

// --- Commits ---------------------------------------------------------------------------------------------------------

/** Moves the group by the commit that is staged. */
export function followCommit(turn: Turn, judgement: Judgement): void {
  const { state } = turn
  const { staged: waiting, group } = state
  if (waiting?.type !== "entry" || group === undefined) return
  const { entry, own, staged, interval } = waiting
  const before = state.names
  const { ownLeafIndex } = group
  state.staged = undefined
  moveOn(turn, entry)
  keepCommit(turn, { entry, isOwnPath: own && staged.path })
  forgetEnded(turn, entry)
  // Members whom this device does not accept are in the group all the same: see `hold`.
  group.apply(
    staged,
    judgement.verdicts.map(({ claim }) => ({ claim, accepted: true })),
  )
  state.obstacle = unobstructed
  turn.trust(judgement)
  if (!own) {
    const { committer, authenticatedData } = staged
    compareHead(turn, { seq: entry.seq, by: committer, claim: headInHandshake(authenticatedData) })
  }
  if (staged.selfRemoved) {
    if (isAmong(staged.added, turn.moment.identity)) {
      const reason = `${nameOfMember(staged.committer)} let a device in as this one, which did not ask for it`
      turn.emit({ type: "copied", conversation: state.id, reason })
    }
    const removal = staged.removals.find(({ member }) => member.leafIndex === ownLeafIndex)
    const by = nameOfMember(removal?.proposedBy ?? staged.committer)
    const isOwnWish = by === turn.moment.identity.name
    const { isThisDevice } = turn.moment.revoked
    const why = isThisDevice ? THIS_DEVICE_REVOKED : "this device was removed from the conversation"
    leaveNow(turn, { by, reason: isOwnWish && !isThisDevice ? "" : why })
    return
  }
  const letIn = staged.added.filter((it) => isAmong(staged.removed, it))
  const since = noteLetIn(turn, letIn, entry.seq)
  noteCommitter(turn, staged.committer, entry.seq)
  if (staged.committer !== undefined) state.heard.set(staged.committer.leafIndex, entry.seq)
  if (interval !== undefined) begin(turn, interval, staged)
  turn.saveGroup()
  turn.flushGroup(since)
  forgetOldIntervals(turn)
  settleCommit(turn, { own, staged })
  noteCommit(turn, staged, { seq: entry.seq, own })
  announce(turn, staged, before)
  hold(turn, judgement)
}

/** From here on a new key proves that one is a member; where somebody was removed, no older one reads further. */
function begin(turn: Turn, interval: IntervalKeys, { removals }: StagedCommit): void {
  const { state } = turn
  state.intervals.add(turn, state.key, interval)
  for (const { member } of removals) state.heard.delete(member.leafIndex)
  if (removals.length === 0) return
  state.position.doubtHead()
  turn.add({ type: "reach" })
}

function keepCommit(turn: Turn, { entry, isOwnPath }: { readonly entry: Entry; readonly isOwnPath: boolean }): void {
  const { group } = turn.state
  const leaf = isOwnPath ? group?.leafNode(group.ownLeafIndex) : undefined
  keepHandshake(turn, entry, leaf && turn.moment.identity.suite.hash.digest(leaf))
}

/** Should the service lose it, this device gives it back. `ownLeaf`: see `StoredHandshake`. */
function keepHandshake(turn: Turn, entry: Entry, ownLeaf: Uint8Array = new Uint8Array()): void {
  const { seq, kind, epoch, body, begins } = entry
  const { facts, intervals, kept, key } = turn.state
  if (kind !== "commit" && kind !== "proposal") return
  kept.put(turn, key, { n: facts.keptNext, seq, kind, epoch, body, begins, before: intervals.newest, ownLeaf })
  turn.update({ keptNext: facts.keptNext + 1 })
}

/** With them, nobody who is in the tree could have knocked. */
function forgetOldIntervals(turn: Turn): void {
  const { intervals, outline, key } = turn.state
  if (intervals.size > 1) intervals.forgetBefore(turn, key, outline.oldestSince)
}

/** What a commit means for the one that this device has under way, and for its wishes. */
function settleCommit(turn: Turn, { own, staged }: { readonly own: boolean; readonly staged: StagedCommit }): void {
  const { state } = turn
  if (own && staged.path) noteRenewed(turn)
  if (own) for (const number of state.commit?.wishes ?? []) turn.fulfil(Number(number))
  if (staged.added.length > 0 && state.facts.title !== "") turn.update({ titleDueSince: staged.epoch })
  // The member who adds somebody tells them at once; the others with what they do next, if that member is gone.
  if (own) announceTitleIfDue(turn)
  // Another commit was faster: the wishes stay, and are compiled again for the new epoch.
  turn.putCommit(undefined)
  forgetDepartures(turn)
}
