import type { Continues } from "../access/structs.js"
import { ClientError } from "../errors.js"
import { contentOf } from "../kinds/contents.js"
import type { WishOf } from "../records/records.js"
import { placeOwn } from "./messages.js"
import { isMissing } from "./missing.js"
import { decodePayload } from "./payload.js"
import { following, unobstructed } from "./recovery.js"
import { notContinued, type State } from "./state.js"
import type { Turn } from "./turn.js"
import { isAnnouncement, type Numbered } from "./wishes.js"

type MessageWish = WishOf<"message">

/** What a conversation takes over from the one that it continues. */
export interface TakenOver {
  /** The id of the conversation that it continues on this device. */
  readonly before: Uint8Array
  /** What the Welcomes of this device say of it. */
  readonly continues: Continues
  /** Payloads of the messages that wait there, oldest first. */
  readonly payloads: readonly Uint8Array[]
}

/** By the number of a wish: where the log has the message, as far as that is known; `undefined` where it does not. */
export type Places = ReadonlyMap<number, bigint | undefined>

/** Whether this device cannot go on here, so that another group may take its place. */
export function canBeContinued({ facts: { status } }: State): boolean {
  return status === "stopped" || status === "recovering" || status === "lost" || status === "continued"
}

/** Why a person cannot restart this conversation. */
export function restartRefusal({ state, moment }: Pick<Turn, "state" | "moment">): ClientError | undefined {
  const { answer } = moment.invitation ?? {}
  const { status } = state.facts
  if (answer === "waiting" || answer === "declined") {
    return new ClientError("NOT_A_MEMBER", "this invitation has not been accepted")
  }
  if (state.continuation.after !== undefined) {
    return new ClientError("CONTINUED", "this conversation goes on in another group already")
  }
  if (status === "recovering" && state.entering !== undefined) {
    return new ClientError("REFUSED", "a member has answered: this device is about to be let in again")
  }
  if (status === "stopped" || status === "recovering" || isMissing(state)) return undefined
  const restarted = "one that is stopped, that this device cannot follow, or that the service does not show"
  const reason = `this conversation is ${status}: only ${restarted} is restarted`
  return new ClientError("REFUSED", reason)
}

/** In the group that takes the place: the messages that waited are this conversation's own from now on. */
export function takeOver(turn: Turn, { before, continues, payloads }: TakenOver): void {
  turn.putContinuation({ continues, before })
  const unsent = { outgoing: undefined, acceptedSeq: undefined }
  const wishes = payloads.map((payload) => turn.addWish({ type: "message", payload, ...unsent }))
  turn.add({ type: "took over", wishes })
}

/** The group is one like any other, whatever its Welcome said. */
export function continueNothing(turn: Turn): void {
  if (turn.state.continuation !== notContinued) turn.putContinuation({ continues: undefined })
}

/**
 * Messages of which this device does not know whether they have a place in the log: the others may have read them. Where
 * the conversation is stopped, what comes after that entry is read by nobody, and this device has read what came before.
 */
export function unplaced({ facts, wishes }: State): readonly Numbered<MessageWish>[] {
  if (facts.status !== "recovering") return []
  return wishes.encrypted().filter(([, { acceptedSeq }]) => acceptedSeq === undefined)
}

function placeOf({ facts }: State, [number, { acceptedSeq }]: Numbered<MessageWish>, places: Places) {
  return facts.status === "recovering" ? (acceptedSeq ?? places.get(number)) : undefined
}

/** Messages that no member has read: they are said in the group that takes the place, in the same order. */
export function waitingMessages(state: State, places: Places): readonly Numbered<MessageWish>[] {
  const isStill = isMissing(state)
  if (!isStill && !canBeContinued(state)) return []
  return [...state.wishes].flatMap(([number, wish]) => {
    if (wish.type !== "message" || contentOf(decodePayload(wish.payload).body) === undefined) return []
    // One that was encrypted may have been read before the service lost it.
    if (isStill && wish.outgoing !== undefined) return []
    return placeOf(state, [number, wish], places) === undefined ? [[number, wish] as const] : []
  })
}

/**
 * Another group takes the place of this one, and of its keys. A conversation that goes on here, because the person made or
 * accepted two that continue the same one, or that may come back, is followed as before: what is said in it is not lost.
 */
export function continueElsewhere(
  turn: Turn,
  { by, places }: { readonly by: Uint8Array; readonly places: Places },
): void {
  const { state } = turn
  turn.putContinuation({ after: by })
  turn.add({ type: "hide" })
  for (const [number] of waitingMessages(state, places)) turn.handOver(number)
  if (!canBeContinued(state)) return
  for (const [number, wish] of [...state.wishes]) {
    const seq = wish.type === "message" ? placeOf(state, [number, wish], places) : undefined
    if (wish.type === "message" && seq !== undefined) {
      placeOwn(turn, { seq, epoch: wish.outgoing?.epoch ?? state.epoch }, [number, wish])
    } else if (isAnnouncement(wish, state.facts.title)) turn.fulfil(number)
    else turn.fail(number, { code: "CONTINUED", reason: "the conversation goes on in a new group" })
  }
  state.asked++
  state.asking = undefined
  state.recovery = following
  state.obstacle = unobstructed
  turn.dropKeys()
  turn.update({ status: "continued", reason: "", stuckAt: undefined, missingSince: undefined, departures: [] })
}
