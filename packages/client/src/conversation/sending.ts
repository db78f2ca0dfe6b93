import { equalBytes } from "@conclave/crypto"
import type { ClientErrorCode, FailedEvent } from "../events.js"
import type { Outgoing } from "../records/records.js"
import { type DeliveryAnswer, refusalOf } from "../service/delivery.js"
import type { Next } from "./question.js"
import { type Pause, pauseAfter } from "./recovery.js"
import { idempotencyIdOf, moved, type Target } from "./request.js"
import type { State } from "./state.js"
import type { Turn } from "./turn.js"

export function targetOf({ id, position }: State): Target {
  return { id, lastCommit: position.lastCommit }
}

/** Whether the service refused this very request as stale. */
export function isRefusedAsStale({ stale }: State, request: Outgoing): boolean {
  return stale !== undefined && equalBytes(stale.idempotencyId, idempotencyIdOf(request))
}

/**
 * What is sent of a message whose epoch still stands: the same request, or one after the new head where that request was
 * refused as stale, because what came before it does not hold.
 */
export function movedIfStale({ state, moment }: Turn, sent: Outgoing, random = moment.random): Outgoing {
  return isRefusedAsStale(state, sent) ? moved(targetOf(state), sent, random) : sent
}

/**
 * Another commit came before. The log, which is read next, has to show it: a service that twice finds stale what comes
 * after the last commit of its own log contradicts itself.
 */
export function loseRace({ state }: Turn, request: Outgoing): Next {
  const { lastCommit } = state.position
  const isContradiction = state.stale !== undefined && state.stale.lastCommit === lastCommit
  state.stale = isContradiction ? undefined : { idempotencyId: idempotencyIdOf(request), lastCommit }
  state.position.doubtHead()
  if (!isContradiction) return "again"
  // It may have been restored, and its log be just as long by now: its word for the head tells.
  state.disputes.wantsService = true
  return { type: "unavailable", reason: "the service knows a commit that its log does not show" }
}

const DEFERRAL = { first: 1_000, most: 10 * 60_000 }

export const mayPass = ({ type }: DeliveryAnswer) => type === "forbidden" || type === "quotaExceeded"

/** Refused for a reason that may pass: it waits and is sent again, less and less often. The user is notified once. */
export function defer(
  turn: Turn,
  answer: DeliveryAnswer,
  { of, wishes }: { readonly of: "commit" | "message"; readonly wishes: readonly FailedEvent["wish"][] },
): Next {
  const { state, moment } = turn
  const before: Pause | undefined = state.obstacle.type === "deferred" ? state.obstacle.pause : undefined
  const pause = pauseAfter(moment.now, before, DEFERRAL)
  state.obstacle = { type: "deferred", of, pause }
  if (before !== undefined) return "again"
  const { reason } = refusal(answer)
  turn.emit({ type: "deferred", conversation: state.id, wishes, reason, retryAt: BigInt(pause.retryAt) })
  return "again"
}

/** An answer that will be the same next time. */
export function refusal(answer: DeliveryAnswer): { readonly code: ClientErrorCode; readonly reason: string } {
  const code = answer.type === "tooLarge" ? "TOO_LARGE" : "REFUSED"
  return { code, reason: `the service refused it: ${refusalOf(answer)}` }
}
