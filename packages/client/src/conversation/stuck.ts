import { following } from "./recovery.js"
import type { Turn } from "./turn.js"

/** This device cannot follow: an event says why, and it knocks. */
export function stick(turn: Turn, reason: string, stuckAt?: bigint): void {
  const { state } = turn
  state.recovery = following
  state.position.forget()
  if (state.awaitsEntrance) {
    // The others may have gone on without the commit by which this device came in: it may be let in in any epoch from its own on.
    turn.putEntrance(undefined)
    turn.update({ epochFloor: state.facts.firstEpoch - 1n })
  }
  turn.update({ status: "recovering", reason, stuckAt })
  turn.emit({ type: "stuck", conversation: state.id, reason, canKnock: state.intervals.newest !== undefined })
}
