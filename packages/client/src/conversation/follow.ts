import { DecodeError, encode } from "@conclave/codec"
import type { Entry as EntryCodec } from "@conclave/contracts/delivery"
import { logChainHash } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import { type Group, type Member, type Received, RuleError, type StagedCommit, StateError, seenBy } from "@conclave/mls"
import { recordKeys, StoredMessage, type WishOf } from "../core/records.js"
import type { Step } from "../core/steps.js"
import type { Judgement } from "../identity/judge.js"
import { nameOf } from "../identity/judge.js"
import { isPausing, keysUnder, needGroup, pause, type Work } from "./context.js"
import { isGivenUp } from "./given-up.js"
import { knownSigner } from "./group-info.js"
import { declineReasonOf } from "./invitation.js"
import { decodePayload, type Payload, TITLE_SIZE_MAX } from "./payload.js"
import { asksToLeave } from "./profile.js"
import { accept, hold, markLeaving, settleCommit } from "./settle.js"

export type Entry = EntryCodec

/** The log cannot be followed past this entry, at least not from the state that is in memory. */
export class Unfollowable extends Error {
  override readonly name = "Unfollowable"
  readonly seq: bigint
  /** Whether it is a commit, and nobody knows whose; otherwise the log itself is at fault. */
  readonly isAnonymous: boolean

  constructor(seq: bigint, reason: string, commit?: { readonly isAnonymous: boolean; readonly cause: unknown }) {
    super(reason, commit)
    this.seq = seq
    this.isAnonymous = commit?.isAnonymous === true
  }
}

/**
 * Follows the group's log by one entry. What was received, where the cursor stands, and what it means to the
 * application are written in one transaction; an entry at or before the cursor is passed over, so nothing is taken in
 * twice. Throws {@link Unfollowable} for a commit that holds and that this device cannot follow, a gap, or a broken chain.
 */
export async function follow(work: Work, entry: Entry): Promise<void> {
  const { local } = work
  if (entry.seq <= local.state.cursor) return
  await followNext(work, entry)
  if (local.state.cursor >= entry.seq) work.rejoins = 0
}

async function followNext(work: Work, entry: Entry): Promise<void> {
  const { local, steps } = work
  if (entry.seq !== local.state.cursor + 1n) throw new Unfollowable(entry.seq, "the log has a gap")
  checkChain(work, entry)
  // Somebody who leaves follows the commits until one of them carries it out, and reads no message any more. Of a message
  // that has expired, the service keeps its place.
  if (entry.kind === "expired" || (local.state.status === "leaving" && entry.kind === "application")) {
    return steps.run(local, (step) => moveOn(work, step, entry))
  }
  await needGroup(work)
  const group = local.group!
  let received: Received
  try {
    received = group.receive(entry.body)
  } catch (error) {
    return refuse(work, entry, error)
  }
  if (received.type === "commit") return followCommit(work, entry, { group, received })
  if (isOwn(received) && entry.kind !== "application" && (await isGivenUp(work, entry.body))) {
    return rejoinBecause(work, `the service refused a ${entry.kind} of this device, and placed it nevertheless`)
  }
  await steps.run(local, (step) => {
    // Reloaded meanwhile, because a step failed: what was received is forgotten, and received again.
    if (local.group !== group) return
    moveOn(work, step, entry)
    local.saveGroup(step)
    if (received.type === "application") takeMessage(work, step, entry, received)
    else if (received.type === "proposal") takeProposal(work, step, received)
    else if (isOwn(received)) settleOwn(work, step, entry)
  })
}

const isOwn = (received: Received) => received.type === "ignored" && received.reason === "own-message"

/** The chain covers all that came before: two members with the same hash have read the same log. */
function checkChain({ local, identity }: Work, entry: Entry): void {
  const sha256 = identity.suite.provider.hashes["SHA-256"]!
  const previous = local.state.chainHash
  if (previous.length === 0) return
  const expected = logChainHash((...parts) => sha256.digest(...parts), previous, entry)
  if (!equalBytes(expected, entry.chainHash)) throw new Unfollowable(entry.seq, "the log's chain is broken")
}

function moveOn(work: Work, step: Step, entry: Entry): void {
  const isCommit = entry.kind === "commit"
  work.local.update(step, {
    cursor: entry.seq,
    chainHash: entry.chainHash,
    // Whether it holds or not: it is what the service compares with.
    ...(isCommit && { lastCommit: entry.seq }),
  })
  placePassed(work, step)
}

/**
 * Messages of this device that have their place at or before the cursor: also where this device does not read them
 * there, because it has rejoined meanwhile.
 */
export function placePassed(work: Work, step: Step): void {
  const { wishes, state } = work.local
  for (const [number, wish] of [...wishes]) {
    if (wish.type !== "message" || wish.acceptedSeq === undefined || wish.acceptedSeq > state.cursor) continue
    placeOwn(work, step, { seq: wish.acceptedSeq, epoch: wish.outgoing?.epoch ?? 0n }, [number, wish])
  }
}

/** Who signed a message that breaks a rule. */
function provenSender({ local }: Work, error: unknown): string | undefined {
  if (!(error instanceof RuleError) || error.sender === undefined) return undefined
  const member = local.group?.member(error.sender)
  return member && nameOf(member.credential)
}

/**
 * The first commit of an epoch that breaks no rule whose breach every member sees alike is the only one that holds; all
 * others are passed over by everybody, whatever the service thinks of them. What is wrong for this device alone stops
 * it. Any other message that cannot be read is the loss of one message.
 */
async function refuse(work: Work, entry: Entry, error: unknown): Promise<void> {
  const { local, steps } = work
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof StateError && error.code === "STATE_ROLLED_BACK") return rejoinAfterRollback(work)
  const sender = provenSender(work, error)
  const what = sender === undefined ? `${entry.kind} ${entry.seq}` : `${entry.kind} ${entry.seq}, by ${sender},`
  if (entry.kind === "commit" && seenBy(error) === "self") {
    const isAnonymous = sender === undefined
    throw new Unfollowable(entry.seq, `${what} cannot be followed: ${reason}`, { isAnonymous, cause: error })
  }
  // Only the chain tells a commit that does not hold from one that was damaged on its way: without it, read again.
  if (entry.kind === "commit" && local.state.chainHash.length === 0 && work.suspect !== entry.seq) {
    throw new Unfollowable(entry.seq, `${what} cannot be read: ${reason}`)
  }
  await steps.run(local, (step) => {
    moveOn(work, step, entry)
    local.saveGroup(step)
    // Framed before this device came: it was never meant to be read here.
    if (entry.epoch < local.state.firstEpoch) return
    if (error instanceof StateError && error.code === "WRONG_EPOCH") return noteUnreached(work)
    reject(work, step, (error as { code?: string }).code ?? "UNREADABLE", `${what} was passed over: ${reason}`)
  })
}

// --- Entries of an epoch that this device has not got to -------------------------------------------------------------

const UNREACHED_MILLISECONDS_MIN = 60_000
const UNREACHED_MILLISECONDS_MAX = 15 * 60_000

/** Anybody can claim an epoch: what a member has signed for it is looked up, however many entries claim it, now and then. */
function noteUnreached(work: Work): void {
  work.unreached = { tries: 0, retryAt: 0, ...work.unreached, isDue: true }
}

/**
 * Tells the user, once for each epoch, if a member has signed for a later one than this device has got to by the log that
 * it is shown. Nothing is concluded beyond that: the one who signs may be alone in a group of its own. Returns whether
 * there was something to look up.
 */
export async function checkUnreached(work: Work): Promise<boolean> {
  const { local, delivery, steps, signal, unreached } = work
  if (unreached === undefined || !unreached.isDue || isPausing(work, unreached)) return false
  const current = await delivery.groupInfo(local.id, signal)
  work.unreached = {
    ...pause(work, unreached, UNREACHED_MILLISECONDS_MIN, UNREACHED_MILLISECONDS_MAX),
    isDue: false,
  }
  const signed = current && knownSigner(work, current.groupInfo)
  const epoch = local.view.outline?.epoch ?? 0n
  if (signed === undefined || signed.epoch <= epoch || signed.epoch <= (local.state.laterEpoch ?? 0n)) return true
  await steps.run(local, (step) => {
    local.update(step, { laterEpoch: signed.epoch })
    const reason = `${signed.name} has signed for epoch ${signed.epoch}, and the log leads this device to ${epoch}`
    reject(work, step, "LATER_EPOCH", reason)
  })
  return true
}

function reject({ local }: Work, step: Step, code: string, reason: string): void {
  step.emit({ type: "rejected", conversation: local.id, code, reason })
}

// --- Messages --------------------------------------------------------------------------------------------------------

function takeMessage(work: Work, step: Step, entry: Entry, received: Received & { type: "application" }): void {
  const { local } = work
  const from = nameOf(received.sender.credential)
  const payload = readPayload(received.plaintext)
  // Its place in the log is behind the commit by which its author went: the service lets late messages in. One that was
  // under way is no reason for an event, and its author is told that it failed.
  if (!local.group!.hasSignatureKey(received.sender.signatureKey)) return
  if (local.unapproved.some((it) => equalBytes(it.signatureKey, received.sender.signatureKey))) {
    reject(work, step, "UNAPPROVED", `what ${from} says with a key that nobody has approved is not shown`)
  } else if (from === undefined || payload === undefined) {
    reject(work, step, "UNREADABLE", `a message from ${from ?? "a member without a name"} cannot be read`)
  } else if (payload.body.type === "title" && isTooLongTitle(payload.body.title)) {
    reject(work, step, "UNREADABLE", `a title from ${from} has more than ${TITLE_SIZE_MAX} bytes`)
  } else if (payload.body.type === "title") {
    takeTitle(work, step, entry, { from, title: payload.body.title })
  } else {
    remember(work, step, entry, { from, own: false, payload: received.plaintext })
    step.emit({ type: "message", conversation: local.id, from, seq: entry.seq, payload: received.plaintext })
  }
}

function readPayload(plaintext: Uint8Array): Payload | undefined {
  try {
    return decodePayload(plaintext)
  } catch (error) {
    if (error instanceof DecodeError) return undefined
    throw error
  }
}

const isTooLongTitle = (title: string) => new TextEncoder().encode(title).length > TITLE_SIZE_MAX

function takeTitle(
  { local, invitations }: Work,
  step: Step,
  place: Place,
  { from, title }: { from: string; title: string },
): void {
  const { title: before, titleDueSince } = local.state
  // Whoever was a member in the message's epoch reads it too.
  const isDue = titleDueSince !== undefined && place.epoch < titleDueSince
  local.update(step, { title, titleDueSince: isDue ? titleDueSince : undefined })
  if (title === before) return
  invitations.noteTitle(step, local.key, from)
  step.emit({ type: "title", conversation: local.id, from, title })
}

/** A message of this device has come back: the wish that it carries has its place in the log. */
function settleOwn(work: Work, step: Step, entry: Entry): void {
  const { local } = work
  for (const [number, wish] of local.wishes) {
    if (!("outgoing" in wish) || wish.outgoing === undefined || !equalBytes(wish.outgoing.body, entry.body)) continue
    if (wish.type === "leave") markLeaving(work, step, number, entry.seq)
    else placeOwn(work, step, entry, [number, wish])
    return
  }
}

/**
 * Sent by this device, and it does not know: its state is older than what others have seen of it (a backup that was put
 * back). Nothing may be encrypted from here, or a key and nonce would be used twice.
 */
function rejoinAfterRollback(work: Work): Promise<void> {
  return rejoinBecause(work, "this device's state was put back to an earlier one")
}

async function rejoinBecause({ local, steps }: Work, reason: string): Promise<void> {
  await steps.discard(local)
  await steps.run(local, (step) => local.update(step, { status: "recovering", reason }))
}

type Place = Pick<Entry, "seq" | "epoch">

function placeOwn(work: Work, step: Step, place: Place, [number, wish]: readonly [number, WishOf<"message">]): void {
  const { local, identity } = work
  local.fulfil(step, number)
  const { body } = decodePayload(wish.payload)
  if (body.type === "title") {
    takeTitle(work, step, place, { from: identity.name, title: body.title })
    return
  }
  remember(work, step, place, { from: identity.name, own: true, payload: wish.payload })
  step.emit({ type: "sent", conversation: local.id, seq: place.seq, payload: wish.payload })
}

function remember(work: Work, step: Step, place: Place, message: { from: string; own: boolean; payload: Uint8Array }) {
  // Nothing is told before an invitation is accepted: until then the history is all there is.
  if (!work.keepHistory && !work.invitations.isWaiting(work.local.key)) return
  step.put(recordKeys.message(work.local.key, Number(place.seq)), encode(StoredMessage, message))
}

// --- Proposals and commits -------------------------------------------------------------------------------------------

function takeProposal({ local, now }: Work, step: Step, received: Received & { type: "proposal" }): void {
  const { proposal, sender } = received
  if (sender === undefined || !asksToLeave(proposal, sender)) return
  // Who asks again and again puts nothing off: the departures of all are carried out a while after the latest.
  if (local.state.departures.some(({ leafIndex }) => leafIndex === sender.leafIndex)) return
  const departure = { leafIndex: Number(sender.leafIndex), since: BigInt(now()) }
  local.update(step, { departures: [...local.state.departures, departure] })
  const reason = declineReasonOf(received.authenticatedData)
  const name = nameOf(sender.credential)
  if (reason === undefined || name === undefined) return
  step.emit({ type: "declined", conversation: local.id, name, reason })
}

async function followCommit(
  work: Work,
  entry: Entry,
  { group, received }: { readonly group: Group; readonly received: Received & { type: "commit" } },
): Promise<void> {
  const { local, steps, judge, signal } = work
  const { staged } = received
  let judgement: Judgement
  try {
    judgement = await judge.judge(staged.claims, signal)
  } catch (error) {
    // What receiving has used up in memory is not stored: the entry is received again.
    await steps.discard(local)
    throw error
  }
  const oldKeys = staged.selfRemoved ? await keysUnder(work, recordKeys.group(local.key)) : []
  await steps.run(local, (step) => {
    if (local.group !== group) return
    const before = local.names
    const { ownLeafIndex } = group
    moveOn(work, step, entry)
    // Whom this device does not accept is in the group all the same: see `hold`.
    group.apply(
      staged,
      judgement.verdicts.map(({ claim }) => ({ claim, accepted: true })),
    )
    work.unreached = undefined
    work.deferral = undefined
    if (local.state.laterEpoch !== undefined) local.update(step, { laterEpoch: undefined })
    accept(work, step, judgement)
    if (staged.selfRemoved) {
      const removal = staged.removals.find(({ member }) => member.leafIndex === ownLeafIndex)
      return depart(work, step, { by: nameOfMember(removal?.proposedBy ?? staged.committer), oldKeys })
    }
    settleCommit(work, step, { own: received.own, staged })
    local.saveGroup(step)
    announce(work, step, staged, before)
    hold(work, step, judgement)
  })
}

export function without(names: readonly string[], others: readonly string[]): readonly string[] {
  if (names === others) return []
  const left = new Set(others)
  return names.filter((name) => !left.has(name))
}

function depart(
  { local, identity }: Work,
  step: Step,
  { by, oldKeys }: { readonly by: string; readonly oldKeys: readonly string[] },
): void {
  for (const [number, wish] of [...local.wishes]) if (wish.type === "leave") local.fulfil(step, number)
  const reason = by === identity.name ? "" : "this device was removed from the conversation"
  local.failAll(step, { code: "NOT_A_MEMBER", reason: reason || "this device left the conversation" })
  local.dropGroup(step, oldKeys)
  local.update(step, { status: "left", reason, departures: [] })
  step.emit({ type: "left", conversation: local.id, by })
}

function announce({ local }: Work, step: Step, staged: StagedCommit, before: readonly string[]): void {
  const by = nameOfMember(staged.external ? staged.added.at(-1) : staged.committer)
  const added = without(local.names, before)
  const gone = new Set(without(before, local.names))
  const left = namesOf(
    staged.removals.flatMap(({ member, proposedBy, byReference }) =>
      byReference && proposedBy?.leafIndex === member.leafIndex ? [member] : [],
    ),
  ).filter((name) => gone.has(name))
  const removed = [...gone].filter((name) => !left.includes(name))
  const rejoined = staged.external ? namesOf(staged.added) : []
  if (added.length + gone.size + rejoined.length === 0) {
    step.emit({ type: "refreshed", conversation: local.id, by })
  } else step.emit({ type: "members", conversation: local.id, by, added, removed, left, rejoined })
}

const nameOfMember = (member: Member | undefined) => (member && nameOf(member.credential)) ?? ""

function namesOf(members: readonly Member[]): readonly string[] {
  return [...new Set(members.flatMap(({ credential }) => nameOf(credential) ?? []))]
}
