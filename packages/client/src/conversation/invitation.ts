import { decode } from "@conclave/codec"
import type { Entry } from "@conclave/delivery/api"
import {
  AuthenticityError,
  type CredentialClaim,
  DecodeError,
  type Group,
  RuleError,
  type StagedJoin,
  StateError,
  UnsupportedError,
  type Verdict,
} from "@conclave/mls"
import { recordKeys, StoredMessage } from "../core/records.js"
import type { Step } from "../core/steps.js"
import type { DeclinedEvent } from "../events.js"
import { Unavailable } from "../service/call.js"
import { keysUnder, type Shared, type Work } from "./context.js"
import { outgoing } from "./request.js"

export type DeclineReason = DeclinedEvent["reason"]

/** Authenticated data of the proposal by which somebody leaves who never came: ASCII, so that a log shows it. */
const DECLINED: Readonly<Record<DeclineReason, string>> = {
  declined: "conclave declined",
  unverified: "conclave declined: unverified",
  limit: "conclave declined: limit",
}

export function declinedData(reason: DeclineReason): Uint8Array {
  return new TextEncoder().encode(DECLINED[reason])
}

/** What the authenticated data of somebody's request to be removed says, if it says that they never wanted to come. */
export function declineReasonOf(authenticatedData: Uint8Array): DeclineReason | undefined {
  const text = String.fromCharCode(...authenticatedData.subarray(0, 64))
  return (Object.keys(DECLINED) as DeclineReason[]).find((reason) => DECLINED[reason] === text)
}

// --- What the person says --------------------------------------------------------------------------------------------

/** From now on the application hears of the conversation, and now of what was said in it while the invitation waited. */
export async function acceptInvitation(work: Work): Promise<void> {
  const { local, steps, invitations } = work
  for (let isOver = false; !isOver; ) {
    // Whatever is at or before the cursor of a completed step is in the store.
    const cursor = await steps.run(local, () => local.state.cursor)
    const kept = await keptMessages(work)
    isOver = await steps.run(local, (step) => {
      const invitation = invitations.get(local.key)
      if (invitation?.answer !== "waiting") return true
      if (local.state.cursor !== cursor) return false
      invitations.answer(step, local.key, "accepted")
      step.emit({ type: "joined", conversation: local.id, members: local.names })
      if (invitation.titleFrom !== "") {
        step.emit({ type: "title", conversation: local.id, from: invitation.titleFrom, title: local.state.title })
      }
      for (const message of kept) tellKept(work, step, message)
      tellHalted(work, step)
      return true
    })
  }
}

type Kept = readonly [key: string, message: StoredMessage]

/** The messages behind the Welcome's commit, in the order of the log. */
async function keptMessages({ local, store, invitations }: Work): Promise<readonly Kept[]> {
  const since = invitations.get(local.key)?.since ?? 0n
  const first = recordKeys.message(local.key, Number(since))
  const records = await store.list(recordKeys.messages(local.key))
  return records.flatMap(([key, record]) => (key > first ? [[key, decode(StoredMessage, record)] as const] : []))
}

/** Without a history, the event is all that is left of it. */
function tellKept({ local, keepHistory }: Work, step: Step, [key, { from, own, payload }]: Kept): void {
  const seq = BigInt(key.slice(recordKeys.messages(local.key).length))
  const place = { conversation: local.id, seq, payload }
  step.emit(own ? { type: "sent", ...place } : { type: "message", from, ...place })
  if (keepHistory) step.keep(key)
  else step.delete(key)
}

function tellHalted({ local }: Work, step: Step): void {
  const { unapproved, id: conversation } = local
  const { status, reason } = local.state
  if (status !== "halted" && unapproved.length === 0) return
  const names = [...new Set(unapproved.map(({ name }) => name))]
  step.emit({ type: "halted", conversation, names, reason })
}

/**
 * The application sees the conversation no more, and the others are asked to remove this device. Resolves when the
 * service has that, or when nothing can be asked any more.
 */
export async function declineInvitation(work: Work, onDeclined: () => void): Promise<{ readonly told: Promise<void> }> {
  const { local, steps, invitations } = work
  return steps.run(local, (step) => {
    if (!invitations.isWaiting(local.key)) return { told: Promise.resolve() }
    invitations.answer(step, local.key, "declined")
    step.after(onDeclined)
    // Where the log cannot be followed, there is no epoch to say it in.
    if (local.state.status !== "active") return { told: Promise.resolve() }
    const leave = local.addWish(step, { type: "leave", outgoing: undefined, acceptedSeq: undefined })
    return { told: local.expect(step, leave) }
  })
}

/** So long a member who declined waits to be removed; after that it is the others' affair. */
const DECLINING_MILLISECONDS_MAX = 7 * 86_400_000

/**
 * Ends an invitation that came to nothing: withdrawn, or declined and carried out. Returns whether the conversation is
 * to be forgotten: nobody's list is filled with what others have wanted.
 */
export async function concludeInvitation(work: Work): Promise<boolean> {
  const { local, steps, invitations, now } = work
  const invitation = invitations.get(local.key)
  if (invitation?.answer !== "waiting" && invitation?.answer !== "declined") return false
  const { status } = local.state
  const isOver =
    status === "left" ||
    (invitation.answer === "declined" &&
      ((status !== "active" && status !== "leaving") || now() > Number(invitation.at) + DECLINING_MILLISECONDS_MAX))
  if (!isOver) return false
  const old = await keysUnder(work, invitation.fresh ? recordKeys.conversation(local.key) : recordKeys.group(local.key))
  const unread = work.keepHistory || invitation.fresh ? [] : (await keptMessages(work)).map(([key]) => key)
  await steps.run(local, (step) => {
    local.failAll(step, { code: "NOT_A_MEMBER", reason: "the invitation came to nothing" })
    local.dropGroup(step, old)
    for (const key of unread) step.delete(key)
    local.update(step, { status: "left", reason: "", departures: [] })
    if (invitation.fresh) step.delete(recordKeys.state(local.key))
    invitations.end(step, local.key)
  })
  return invitation.fresh
}

// --- What this device says by itself ---------------------------------------------------------------------------------

const TRIES_MAX = 4
const ENTRIES_MAX = 512

/**
 * Tells the others that this device does not come in: enters the group in memory, says so, and forgets it. Where the
 * group has gone on meanwhile it is followed up to its last epoch, without judging anybody: nothing is read or shown.
 * Does nothing where that is not possible. Rejects with `UNAVAILABLE` where the service does not answer.
 */
export async function declineUnseen(
  shared: Shared,
  { staged, seq, reason }: { readonly staged: StagedJoin; readonly seq: bigint; readonly reason: DeclineReason },
  signal: AbortSignal,
): Promise<void> {
  const { groupId: id } = staged
  const group = staged.accept(unjudged(staged.claims))
  try {
    for (let [cursor, lastCommit, tries] = [seq, seq, 0]; tries < TRIES_MAX; tries++) {
      const { epoch } = group
      const change = { type: "remove", leafIndex: group.ownLeafIndex } as const
      const body = group.propose(change, { authenticatedData: declinedData(reason) }).message
      const target = { ...shared, local: { id, state: { lastCommit } } }
      const { request } = outgoing(target, { kind: "proposal", epoch, body, commit: undefined })
      const answer = await shared.delivery.send(request, signal)
      if (answer.type !== "stale") return
      const entries = await entriesBehind(shared, { id, cursor }, signal)
      if (entries.length === 0 || !followUnseen(group, entries)) return
      cursor = entries.at(-1)!.seq
      lastCommit = entries.findLast(({ kind }) => kind === "commit")?.seq ?? lastCommit
    }
  } catch (error) {
    // Whoever keeps a group busy must not hold up this device's inbox.
    if (isMlsError(error) || (error instanceof Unavailable && error.retryAt !== undefined)) return
    throw error
  } finally {
    group[Symbol.dispose]()
  }
}

async function entriesBehind(
  { delivery }: Shared,
  { id, cursor }: { readonly id: Uint8Array; readonly cursor: bigint },
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  for (let after = cursor; entries.length < ENTRIES_MAX; after = entries.at(-1)!.seq) {
    const answer = await delivery.read(id, after, signal)
    if (answer.type !== "entries" || answer.entries.length === 0) break
    entries.push(...answer.entries)
    if (entries.at(-1)!.seq >= answer.headSeq) break
  }
  return entries
}

/** Returns whether this device is a member still. What cannot be followed is passed over, as members do. */
function followUnseen(group: Group, entries: readonly Entry[]): boolean {
  for (const { kind, body } of entries) {
    if (kind === "application") continue
    try {
      const received = group.receive(body)
      if (received.type !== "commit") continue
      group.apply(received.staged, unjudged(received.staged.claims))
      if (received.staged.selfRemoved) return false
    } catch (error) {
      if (!isMlsError(error)) throw error
    }
  }
  return true
}

function isMlsError(error: unknown): boolean {
  return [RuleError, AuthenticityError, StateError, UnsupportedError, DecodeError].some((it) => error instanceof it)
}

/** For a group that nobody is shown, and in which nothing is said but that this device leaves. */
function unjudged(claims: readonly CredentialClaim[]): readonly Verdict[] {
  return claims.map((claim) => ({ claim, accepted: true }))
}
