import { DecodeError, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { Entry as EntryCodec } from "@conclave/delivery/api"
import { logChainHash } from "@conclave/delivery/log-chain"
import { type Group, type Received, RuleError, type StagedCommit, StateError } from "@conclave/mls"
import { recordKeys, StoredMessage, type WishOf } from "../core/records.js"
import type { Step } from "../core/steps.js"
import type { Judgement } from "../identity/judge.js"
import { nameOf } from "../identity/judge.js"
import { keysUnder, needGroup, type Work } from "./context.js"
import { decodePayload, type Payload } from "./payload.js"
import { accept, halt, markLeaving, settleCommit } from "./settle.js"

export type Entry = EntryCodec

/** The log cannot be followed past this entry, at least not from the state that is in memory. */
export class Unfollowable extends Error {
  override readonly name = "Unfollowable"
  readonly seq: bigint
  /** Whether it is a commit that this device refuses, and nobody knows whose; otherwise the log itself is at fault. */
  readonly isAnonymous: boolean

  constructor(seq: bigint, reason: string, refused?: { readonly isAnonymous: boolean; readonly cause: unknown }) {
    super(reason, refused)
    this.seq = seq
    this.isAnonymous = refused?.isAnonymous === true
  }
}

/**
 * Follows the group's log by one entry. What was received, where the cursor stands, and what it means to the
 * application are written in one transaction; an entry at or before the cursor is passed over, so nothing is taken in
 * twice. Throws {@link Unfollowable} for a commit that cannot be applied, a gap, or a broken chain.
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
  // Somebody who leaves follows the commits until one of them carries it out, and reads no message any more.
  if (local.state.status === "leaving" && entry.kind === "application") {
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
  await steps.run(local, (step) => {
    // Reloaded meanwhile, because a step failed: what was received is forgotten, and received again.
    if (local.group !== group) return
    moveOn(work, step, entry)
    local.saveGroup(step)
    if (received.type === "application") takeMessage(work, step, entry, received)
    else if (received.type === "proposal") takeProposal(work, step, received)
    else if (received.reason === "own-message") settleOwn(work, step, entry)
  })
}

/** The chain covers all that came before: two members with the same hash have read the same log. */
function checkChain({ local, identity }: Work, entry: Entry): void {
  const sha256 = identity.suite.provider.hashes["SHA-256"]!
  const previous = local.state.chainHash
  if (previous.length === 0) return
  const expected = logChainHash((...parts) => sha256.digest(...parts), previous, entry)
  if (!equalBytes(expected, entry.chainHash)) throw new Unfollowable(entry.seq, "the log's chain is broken")
}

function moveOn(work: Work, step: Step, entry: Entry): void {
  work.local.update(step, { cursor: entry.seq, chainHash: entry.chainHash })
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

/** A commit that cannot be received stops everything; anything else is the loss of one message. */
async function refuse(work: Work, entry: Entry, error: unknown): Promise<void> {
  const { local, steps } = work
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof StateError && error.code === "STATE_ROLLED_BACK") return rejoinAfterRollback(work)
  if (entry.kind === "commit") {
    const sender = provenSender(work, error)
    const commit = sender === undefined ? `commit ${entry.seq}` : `commit ${entry.seq}, by ${sender},`
    throw new Unfollowable(entry.seq, `${commit} was refused: ${reason}`, {
      isAnonymous: sender === undefined,
      cause: error,
    })
  }
  await steps.run(local, (step) => {
    moveOn(work, step, entry)
    local.saveGroup(step)
    // Framed before this device came: it was never meant to be read here.
    if (entry.epoch < local.state.firstEpoch) return
    reject(work, step, (error as { code?: string }).code ?? "UNREADABLE", reason)
  })
}

function reject({ local }: Work, step: Step, code: string, reason: string): void {
  step.emit({ type: "rejected", conversation: local.id, code, reason })
}

// --- Messages --------------------------------------------------------------------------------------------------------

function takeMessage(work: Work, step: Step, entry: Entry, received: Received & { type: "application" }): void {
  const { local } = work
  const from = nameOf(received.sender.credential)
  const payload = readPayload(received.plaintext)
  if (from === undefined || payload === undefined) {
    reject(work, step, "UNREADABLE", `a message from ${from ?? "somebody without a name"} cannot be read`)
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

function takeTitle({ local }: Work, step: Step, place: Place, { from, title }: { from: string; title: string }): void {
  const { title: before, titleDueSince } = local.state
  // Whoever was a member in the message's epoch reads it too.
  const isDue = titleDueSince !== undefined && place.epoch < titleDueSince
  local.update(step, { title, titleDueSince: isDue ? titleDueSince : undefined })
  if (title === before) return
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
async function rejoinAfterRollback({ local, steps }: Work): Promise<void> {
  await steps.discard(local)
  const reason = "this device's state was put back to an earlier one"
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
  if (!work.keepHistory) return
  step.put(recordKeys.message(work.local.key, Number(place.seq)), encode(StoredMessage, message))
}

// --- Proposals and commits -------------------------------------------------------------------------------------------

function takeProposal({ local, now }: Work, step: Step, received: Received & { type: "proposal" }): void {
  const { proposal, sender } = received
  const departs = proposal.type === "remove" && sender !== undefined && proposal.removed === sender.leafIndex
  const departures = departs
    ? [...local.state.departures, { leafIndex: Number(proposal.removed), since: BigInt(now()) }]
    : local.state.departures
  local.update(step, { departures })
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
  if (judgement.refused.length > 0) return halt(work, judgement)
  const oldKeys = staged.selfRemoved ? await keysUnder(work, recordKeys.group(local.key)) : []
  await steps.run(local, (step) => {
    if (local.group !== group) return
    const before = local.names
    moveOn(work, step, entry)
    group.apply(staged, judgement.verdicts)
    accept(work, step, judgement)
    if (staged.selfRemoved) return depart(work, step, staged, oldKeys)
    settleCommit(work, step, { own: received.own, staged })
    local.saveGroup(step)
    announce(work, step, staged, before)
  })
}

function without(names: readonly string[], others: readonly string[]): readonly string[] {
  if (names === others) return []
  const left = new Set(others)
  return names.filter((name) => !left.has(name))
}

function depart({ local, identity }: Work, step: Step, staged: StagedCommit, oldKeys: readonly string[]): void {
  const asked = local.state.status === "leaving"
  const by = staged.committer === undefined ? undefined : nameOf(staged.committer.credential)
  for (const [number, wish] of [...local.wishes]) if (wish.type === "leave") local.fulfil(step, number)
  local.failAll(step, { code: "NOT_A_MEMBER", reason: "this device was removed from the conversation" })
  local.dropGroup(step, oldKeys)
  local.update(step, { status: "left", departures: [] })
  step.emit({ type: "left", conversation: local.id, by: asked ? identity.name : (by ?? "") })
}

function announce({ local }: Work, step: Step, staged: StagedCommit, before: readonly string[]): void {
  const by = (staged.committer === undefined ? undefined : nameOf(staged.committer.credential)) ?? ""
  const [added, removed] = [without(local.names, before), without(before, local.names)]
  if (added.length + removed.length === 0) step.emit({ type: "refreshed", conversation: local.id, by })
  else step.emit({ type: "members", conversation: local.id, by, added, removed })
}
