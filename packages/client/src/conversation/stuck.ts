import { following } from "./recovery.js"
import type { Turn } from "./turn.js"

/** This device cannot follow: an event says why, and it knocks. */
export function stick(turn: Turn, reason: string, stuckAt?: bigint): void {
  const { state } = turn
  state.recovery = following
  state.position.forget()
  turn.update({ status: "recovering", reason, stuckAt })
  turn.emit({ type: "stuck", conversation: state.id, reason, canKnock: state.intervals.newest !== undefined })
}
