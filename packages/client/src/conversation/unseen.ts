import type { Entry } from "@conclave/contracts/delivery"
import type { Moment, State } from "./state.js"
import type { Turn } from "./turn.js"

/** Messages that a sender may have encrypted in an epoch, and that never came into the log. */
export const LOST_MAX = 128

/** So long after a restore, messages before those that come may be lost: as long as a log keeps messages, by default. */
const MAY_BE_LOST_MILLISECONDS = 30 * 86_400_000

/**
 * A sender's generation grows by one with each of its messages, and each of them that the service took has its place in
 * the log. So one that claims to be further ahead than this device has left unread is a forgery, and is not tried.
 * A service that was restored has lost nobody knows how many: then MLS's own bounds are all there are.
 */
export function unseenOf({ state, moment }: Turn, epoch: bigint): number {
  return isLatelyRestored(moment) ? Number.POSITIVE_INFINITY : unseenIn(state, epoch)
}

/** Whether messages that others have read may have been lost, and come again. */
function isLatelyRestored({ service, now }: Moment): boolean {
  return service?.restoredAt !== undefined && now - Number(service.restoredAt) < MAY_BE_LOST_MILLISECONDS
}

function unseenIn({ facts }: State, epoch: bigint): number {
  return facts.unseen.find((it) => it.epoch === epoch)?.count ?? 0
}

/** Whether what this device has told of may come once more: without a history nobody knows what that is. */
export function mayTellTwice(moment: Moment): boolean {
  return moment.keepHistory && isLatelyRestored(moment)
}

export function noteUnseen(turn: Turn, { epoch }: Entry): void {
  const { unseen } = turn.state.facts
  const count = unseenIn(turn.state, epoch) + 1
  const others = unseen.filter((it) => it.epoch !== epoch).slice(-UNSEEN_EPOCHS_MAX + 1)
  turn.update({ unseen: [...others, { epoch, count }] })
}

/** As many as there are past epochs whose late messages can be read, and the current one. */
const UNSEEN_EPOCHS_MAX = 9
