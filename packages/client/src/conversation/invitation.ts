import type { HeadClaim } from "@conclave/contracts/heads"
import type { Judgement } from "@conclave/identity/verdicts"
import type { Group } from "@conclave/mls"
import type { IntervalKeys } from "../access/interval-keys.js"
import type { Continues } from "../access/structs.js"
import type { StoredClaim } from "../kinds/fields.js"
import { recordKeys, type StoredInvitation, type StoredMessage } from "../records/records.js"
import { continueNothing, type TakenOver, takeOver } from "./continuing.js"
import { beginBefore } from "./entrance.js"
import { mayBegin } from "./heads.js"
import { following, unobstructed } from "./recovery.js"
import { noFacts, type State } from "./state.js"
import type { Turn } from "./turn.js"

/** This device enters a group by a Welcome. */
export interface Joined {
  readonly group: Group
  /** Of the interval in force; `undefined` where no key of the conversation's was registered. */
  readonly keys: IntervalKeys | undefined
  /** The seq of the Welcome's commit. */
  readonly seq: bigint
  /** How far the member who made it had read. */
  readonly head: HeadClaim | undefined
  /** The Welcome's commit, as that names it; absent in a group from before there were keys. */
  readonly commit: Uint8Array | undefined
  readonly judgement: Judgement
  /** The member who signed the Welcome's GroupInfo. */
  readonly by: string
  readonly answer: "accept" | "ask"
  /** Nothing was there before. */
  readonly fresh: boolean
  /** What it continues, in the words of a member of that; and how this device sees it, unless it sees no reason to. */
  readonly continues: { readonly told: Continues; readonly seen: StoredClaim | undefined } | undefined
}

export function join(turn: Turn, joined: Joined): void {
  const { group, keys, seq, head, commit, judgement, by, answer, fresh, continues } = joined
  const { state } = turn
  const { id: conversation } = state
  turn.trust(judgement)
  turn.failAll({ code: "NOT_A_MEMBER", reason: "this device was removed, and invited again" })
  turn.putCommit(undefined)
  turn.putKnock(undefined)
  if (keys !== undefined) state.intervals.add(turn, state.key, keys)
  turn.replaceGroup(group)
  turn.forgetHandshakes()
  if (commit !== undefined) turn.putEntrance({ commit, isSeen: false, missedAt: undefined })
  const { title, titleDueSince, nextWish, missingSince, shift, keptNext } = state.facts
  turn.update({
    ...noFacts,
    title,
    titleDueSince,
    nextWish,
    missingSince,
    shift,
    keptNext,
    status: "active",
    firstEpoch: group.epoch,
    leafSince: BigInt(turn.moment.now),
  })
  state.chain.start(seq, new Uint8Array())
  if (head !== undefined && mayBegin(turn, head, seq)) {
    // What is between that and the commit is checked, and not read.
    state.position.move({ cursor: head.seq, chainHash: head.chainHash, lastCommit: undefined })
    state.chain.start(head.seq, head.chainHash)
    turn.update({ joinedAt: seq, head })
  } else beginBefore(turn, seq)
  state.recovery = following
  state.refused = undefined
  state.obstacle = unobstructed
  const waits = answer === "ask"
  const invitation = { by, answer: waits ? "waiting" : "accepted", fresh, since: seq + shift } as const
  turn.changeInvitation({ type: "add", invitation })
  const members = state.names
  if (waits && continues !== undefined) turn.putContinuation({ continues: continues.told })
  const invited = { type: "invited", conversation, by, members, continues: continues?.seen } as const
  turn.emit(waits ? invited : { type: "joined", conversation, members })
  // A subscription that follows it since before the removal reaches no further than that.
  if (!fresh) turn.add({ type: "reach" })
}

/** A message that was kept while the invitation waited, and its place. */
export interface Kept {
  readonly seq: bigint
  readonly message: StoredMessage
}

/**
 * The person accepts: the application hears of the conversation from now on, and now of what was said while the
 * invitation waited. `kept` are the messages up to `cursor`: where there may be more, nothing has happened.
 */
export function acceptInvitation(
  turn: Turn,
  { kept, cursor, takes }: { readonly kept: readonly Kept[]; readonly cursor: bigint; readonly takes?: TakenOver },
): void {
  const { state, moment } = turn
  const { invitation, keepHistory } = moment
  if (invitation?.answer !== "waiting") return
  if (state.position.cursor !== cursor) {
    turn.add({ type: "again" })
    return
  }
  const { id: conversation } = state
  turn.changeInvitation({ type: "answer", answer: "accepted" })
  if (takes === undefined) continueNothing(turn)
  turn.emit({ type: "joined", conversation, members: state.names })
  if (invitation.titleFrom !== "") {
    turn.emit({ type: "title", conversation, from: invitation.titleFrom, title: state.facts.title })
  }
  for (const { seq, message } of kept) {
    const { from, own, payload } = message
    turn.emit(
      own ? { type: "sent", conversation, seq, payload } : { type: "message", conversation, from, seq, payload },
    )
    const key = recordKeys.message(state.key, Number(seq))
    // Without a history, the event is all that is left of it; with one, it refers to that.
    if (keepHistory) turn.add({ type: "keep", key })
    else turn.delete(key)
  }
  // What this device has still to say comes after what the others have said.
  if (takes !== undefined) takeOver(turn, takes)
  const { status, reason } = state.facts
  if (status !== "halted" && state.unapproved.length === 0) return
  const names = [...new Set(state.unapproved.map(({ name }) => name))]
  turn.emit({ type: "halted", conversation, names, reason })
}

/** The person declines: the application sees the conversation no more, and the others are asked to remove this device. */
export function declineInvitation(turn: Turn): void {
  if (turn.moment.invitation?.answer !== "waiting") return
  turn.changeInvitation({ type: "answer", answer: "declined" })
  turn.add({ type: "hide" })
  // Where the log cannot be followed, there is no epoch to say it in.
  if (turn.state.facts.status !== "active") return
  const wish = turn.addWish({ type: "leave", outgoing: undefined, acceptedSeq: undefined })
  turn.add({ type: "wished", wish, messageId: undefined })
}

/** How long a member who declined waits to be removed; after that it is the others' affair. */
const DECLINING_MILLISECONDS_MAX = 7 * 86_400_000

/** Whether an invitation came to nothing: withdrawn, or declined and carried out. */
function isInvitationOver(state: State, invitation: StoredInvitation, now: number): boolean {
  if (invitation.answer !== "waiting" && invitation.answer !== "declined") return false
  const { status } = state.facts
  if (status === "left") return true
  return (
    invitation.answer === "declined" && (!state.isFollowing || now > Number(invitation.at) + DECLINING_MILLISECONDS_MAX)
  )
}

/** Ends an invitation that is over. A conversation in which this device has not been before is forgotten with it. */
export function concludeInvitation(turn: Turn): void {
  const { state, moment } = turn
  const { invitation, keepHistory } = moment
  if (invitation === undefined || !isInvitationOver(state, invitation, moment.now)) return
  turn.failAll({ code: "NOT_A_MEMBER", reason: "the invitation came to nothing" })
  turn.dropGroup()
  turn.update({ status: "left", reason: "", departures: [] })
  turn.changeInvitation({ type: "end" })
  if (invitation.fresh) {
    turn.deleteUnder(recordKeys.conversation(state.key))
    turn.forgetFacts()
    turn.add({ type: "forget" })
  } else if (!keepHistory) {
    turn.deleteUnder(recordKeys.messages(state.key), recordKeys.message(state.key, Number(invitation.since)))
  }
}
