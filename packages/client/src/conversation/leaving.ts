import { nameOf } from "@conclave/identity/verdicts"
import type { Group, Received } from "@conclave/mls"
import { encodeHandshakeData } from "../heads/claims.js"
import type { Outgoing, WishOf } from "../records/records.js"
import type { DeliveryAnswer } from "../service/delivery.js"
import { declinedData, declineReasonOf } from "./declining.js"
import { claimOf } from "./heads.js"
import { isUnknown, refusedAsMissing } from "./missing.js"
import { asksToLeave } from "./profile.js"
import type { Next } from "./question.js"
import { moved, outgoing } from "./request.js"
import { idAmongOthers } from "./restored.js"
import { loseRace, movedIfStale, refusal, targetOf } from "./sending.js"
import type { Moment, State } from "./state.js"
import type { Turn } from "./turn.js"
import type { Numbered } from "./wishes.js"

type LeaveWish = WishOf<"leave">

// --- This device's own -----------------------------------------------------------------------------------------------

/** Asks the others to remove this device: nobody can commit their own removal (RFC 9420 §12.4). */
export function leave(turn: Turn, [number, wish]: Numbered<LeaveWish>): Next {
  if (turn.state.group!.memberCount === 1) return leaveAlone(turn)
  const { request } = requestToLeave(turn, [number, wish])
  const prover = turn.state.intervals.newest
  return { type: "send", sent: { of: "leave", wish: number }, request, prover }
}

/** Nobody is left who would need what the service has: it is deleted there, after the operator's notice. */
function leaveAlone(turn: Turn): Next {
  const { intervals, position } = turn.state
  if (intervals.newest !== undefined) return { type: "retire", head: position.cursor, prover: intervals.newest }
  leaveNow(turn, { by: turn.moment.identity.name, reason: "" })
  return "again"
}

/** Whatever the service says: it forgets in the end what nobody uses. */
export function leftAlone(turn: Turn, answer: DeliveryAnswer): Next {
  if (answer.type === "stale") {
    // Read first, and not at once again: a service could say so for ever.
    turn.state.position.doubtHead()
    return { type: "unavailable", reason: "the service says that there is more in the log" }
  }
  if (turn.state.group?.memberCount === 1) leaveNow(turn, { by: turn.moment.identity.name, reason: "" })
  return "again"
}

/** Of each epoch a new one: a commit that ends the epoch forgets the one before. */
function requestToLeave(turn: Turn, [number, { outgoing: before }]: Numbered<LeaveWish>): Outgoing {
  const id = before && idAmongOthers(turn, before)
  const request = before === undefined ? propose(turn) : movedIfStale(turn, before, id && (() => id))
  if (request === before) return before
  turn.putWish(number, { type: "leave", outgoing: request, acceptedSeq: undefined })
  return request
}

function propose(turn: Turn): Outgoing {
  const { state, moment } = turn
  const group = state.group!
  const { epoch } = group
  const authenticatedData =
    moment.invitation?.answer === "declined"
      ? declinedData("declined")
      : encodeHandshakeData(new Uint8Array(), claimOf(state, moment))
  const body = group.propose({ type: "remove", leafIndex: group.ownLeafIndex }, { authenticatedData }).message
  turn.saveGroup()
  return outgoing(targetOf(state), { kind: "proposal", epoch, body, commit: undefined }, moment.random)
}

export function onLeaveAnswer(turn: Turn, number: number, answer: DeliveryAnswer): Next {
  const { state } = turn
  const wish = state.wishes.get(number)
  if (wish?.type !== "leave" || wish.outgoing === undefined) return "again"
  if (answer.type === "stale") return loseRace(turn, wish.outgoing)
  if (isUnknown(answer)) return refusedAsMissing(turn)
  if (answer.type === "accepted") {
    markLeaving(turn, [number, wish], answer.seq)
    return "again"
  }
  // Anybody can use up the id that others know.
  if (answer.type === "invalid" && idAmongOthers(turn, wish.outgoing) !== undefined) {
    turn.putWish(number, { ...wish, outgoing: moved(targetOf(state), wish.outgoing, turn.moment.random) })
    return "again"
  }
  turn.giveUp(wish.outgoing.body)
  if (state.group !== undefined) dropOwnProposals(state.group)
  turn.saveGroup()
  turn.fail(number, refusal(answer))
  return "again"
}

function dropOwnProposals(group: Group): void {
  for (const { ref, proposal } of group.proposals) {
    if (proposal.type === "remove" && proposal.removed === group.ownLeafIndex) group.discardProposal(ref)
  }
}

/** The service has the request to be removed: the caller may go, and the others carry it out. */
export function markLeaving(turn: Turn, [number, wish]: Numbered<LeaveWish>, seq: bigint): void {
  const { wishes } = turn.state
  turn.putWish(number, { ...wish, acceptedSeq: seq })
  turn.update({ status: "leaving" })
  for (const [later, { type }] of [...wishes].filter(([it]) => it > number)) {
    if (type === "leave") turn.fulfil(later)
    else turn.fail(later, { code: "NOT_A_MEMBER", reason: "this device is leaving the conversation" })
  }
  turn.settle(number)
}

/** This device is not a member any more. `reason`: why, unless it wished for that. */
export function leaveNow(turn: Turn, { by, reason }: { readonly by: string; readonly reason: string }): void {
  for (const [number, wish] of [...turn.state.wishes]) if (wish.type === "leave") turn.fulfil(number)
  turn.failAll({ code: "NOT_A_MEMBER", reason: reason || "this device left the conversation" })
  turn.dropGroup()
  turn.update({ status: "left", reason, departures: [] })
  turn.emit({ type: "left", conversation: turn.state.id, by })
}

// --- Others' ---------------------------------------------------------------------------------------------------------

/** A proposal that counts is its sender's request to be removed. */
export function takeProposal(turn: Turn, received: Received & { readonly type: "proposal" }): void {
  const { proposal, sender } = received
  const { departures } = turn.state.facts
  if (sender === undefined || !asksToLeave(proposal, sender)) return
  // Asking again puts nothing off: the departures of all are carried out a while after the latest.
  if (departures.some(({ leafIndex }) => leafIndex === sender.leafIndex)) return
  const departure = { leafIndex: Number(sender.leafIndex), since: BigInt(turn.moment.now) }
  turn.update({ departures: [...departures, departure] })
  const reason = declineReasonOf(received.authenticatedData)
  const name = nameOf(sender.credential)
  if (reason === undefined || name === undefined) return
  turn.emit({ type: "declined", conversation: turn.state.id, name, reason })
}

/** Proposals are of one epoch: a member who wants to leave asks again in the next. */
export function forgetDepartures(turn: Turn): void {
  turn.update({ departures: [] })
  for (const [number, wish] of [...turn.state.wishes]) {
    if (wish.type === "leave" && wish.outgoing !== undefined) {
      turn.putWish(number, { type: "leave", outgoing: undefined, acceptedSeq: undefined })
    }
  }
}

/** When this device is to carry out the departures that it knows of (Unix time in milliseconds), if there are any. */
export function departureDue(state: State, moment: Pick<Moment, "invitation" | "leaveDelayMilliseconds" | "now">) {
  // A person who has not accepted the invitation does nothing in the conversation.
  if (moment.invitation?.answer === "waiting") return undefined
  const { departures, status } = state.facts
  const { group } = state
  if (group === undefined || departures.length === 0 || !state.isFollowing) return undefined
  const departing = new Set<number>(departures.map(({ leafIndex }) => leafIndex))
  if (status === "leaving") departing.add(group.ownLeafIndex)
  // Those who want to leave come last: where all do, one has to begin with the others.
  const members = group.members.map(({ leafIndex }) => leafIndex)
  const order = [...members.filter((it) => !departing.has(it)), ...members.filter((it) => departing.has(it))]
  const since = departures.reduce((latest, it) => (it.since > latest ? it.since : latest), 0n)
  // The clock has been set back: nobody knows how long it has been, and it is late enough.
  if (Number(since) > moment.now) return moment.now
  return Number(since) + order.indexOf(group.ownLeafIndex) * moment.leaveDelayMilliseconds
}
