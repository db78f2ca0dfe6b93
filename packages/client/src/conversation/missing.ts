import { type DeliveryAnswer, refusalOf } from "../service/delivery.js"
import type { Next } from "./question.js"
import { pauseAfter } from "./recovery.js"
import type { State } from "./state.js"
import type { Turn } from "./turn.js"

const RETRY = { first: 1_000, most: 15 * 60_000 }
/** After that, a group that the service does not know is taken to be gone. */
const PATIENCE_MILLISECONDS = 7n * 86_400_000n

/**
 * The service does not know the group, or does not show it. It may have been started with an empty folder, or from an
 * old backup, or it lies: nothing is destroyed for it. The user is notified once, and this device asks again for a week.
 */
export function missing(turn: Turn, answer: DeliveryAnswer): void {
  mistrust(turn, `the service said ${refusalOf(answer)}`)
}

/**
 * The service shows another log than it has to: a part of it is missing, or something else is in its place. What it should
 * show may come yet: nothing is concluded from it, and nobody else could show it either.
 */
export function mistrust(turn: Turn, reason: string): void {
  const { state, moment } = turn
  const { obstacle } = state
  const [before, beneath] = obstacle.type === "missing" ? [obstacle.pause, obstacle.beneath] : [undefined, obstacle]
  state.obstacle = { type: "missing", pause: pauseAfter(moment.now, before, RETRY), beneath }
  const { missingSince } = state.facts
  const at = BigInt(moment.now)
  if (missingSince === undefined) {
    turn.update({ missingSince: at })
    // Where another group has taken its place, nobody is to do anything about it.
    if (state.continuation.after === undefined) turn.emit({ type: "missing", conversation: state.id, reason })
  } else if (at - missingSince > PATIENCE_MILLISECONDS) {
    loseTrack(turn, `${reason}, for a week: removed or lost`)
  }
}

/** The service shows the group, and what it shows belongs there. */
export function found(turn: Turn): void {
  const { state } = turn
  if (state.obstacle.type === "missing") state.obstacle = state.obstacle.beneath
  if (state.facts.missingSince !== undefined) turn.update({ missingSince: undefined })
}

/**
 * Whether the service does not show the conversation, or not as it should: it was restored from a backup that is older than
 * it, perhaps. Another group may take its place, but what this one was may come back: it is followed on, unlisted.
 */
export function isMissing({ facts: { status, missingSince } }: State): boolean {
  return status === "active" && missingSince !== undefined
}

/** The service does not know the group, or none of the keys that this device has of it. */
export const isUnknown = ({ type }: DeliveryAnswer) => type === "notFound" || type === "denied"

/**
 * The service takes nothing for the group: it does not know it, or this device. If that is so, the next question about the group is
 * answered in the same way, and the group is {@link missing}. A service that answers that question contradicts itself:
 * it is asked again later, and the user is not notified each time.
 */
export function refusedAsMissing({ state }: Turn): Next {
  state.position.doubtHead()
  return {
    type: "unavailable",
    reason: "the service takes nothing for this group: it says that it does not know it, or this device",
  }
}

/** Only another invitation helps: wishes end here. */
export function loseTrack(turn: Turn, reason: string): void {
  turn.state.staged = undefined
  turn.putKnock(undefined)
  turn.putCommit(undefined)
  if (turn.state.continuation.after !== undefined) {
    // A person goes on in a new group already: there is nothing more to say of this one.
    turn.failAll({ code: "LOST", reason })
    turn.dropKeys()
    turn.update({ status: "continued", reason: "", missingSince: undefined, departures: [] })
    return
  }
  turn.update({ status: "lost", reason })
  turn.emit({ type: "lost", conversation: turn.state.id, reason })
  turn.failAll({ code: "LOST", reason })
}
