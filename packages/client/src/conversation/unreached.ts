import type { AnswerOf } from "../service/delivery.js"
import { knownSigner } from "./group-info.js"
import type { Next } from "./question.js"
import { pauseAfter } from "./recovery.js"
import type { Moment, State } from "./state.js"
import type { Turn } from "./turn.js"

const LOOK = { first: 60_000, most: 15 * 60_000 }

/** An entry claims an epoch that this device has not reached: what a member has signed is to be looked up. */
export function noteUnreached(state: State): void {
  const pause = state.unreached.type === "none" ? { tries: 0, retryAt: 0 } : state.unreached.pause
  state.unreached = { type: "noted", pause }
}

export function isLookDue({ unreached }: State, { now }: Moment): boolean {
  return unreached.type === "noted" && now >= unreached.pause.retryAt
}

/**
 * Raises an alert, once for each epoch, if a member has signed for a later one than this device has reached by the log
 * that it is shown. Nothing is concluded beyond that: the member who signs may be alone in a group of its own.
 */
export function onLook(turn: Turn, current: AnswerOf<"groupInfo"> | undefined): Next {
  const { state, moment } = turn
  if (state.unreached.type === "none") return "again"
  state.unreached = { type: "looked", pause: pauseAfter(moment.now, state.unreached.pause, LOOK) }
  const signed = current && knownSigner(state, moment.identity.suite, current.groupInfo)
  const { epoch } = state
  if (signed === undefined || signed.epoch <= epoch || signed.epoch <= (state.facts.laterEpoch ?? 0n)) return "again"
  turn.update({ laterEpoch: signed.epoch })
  turn.reject(
    "LATER_EPOCH",
    `${signed.name} has signed for epoch ${signed.epoch}, and the log leads this device to ${epoch}`,
  )
  return "again"
}
