import type { Entry } from "@conclave/contracts/delivery"
import { equalBytes } from "@conclave/crypto"
import type { State } from "./state.js"
import type { Turn } from "./turn.js"

/** Goes to the place of the commit by which this device came in: the chain begins with what comes after it. */
export function comeIn(turn: Turn): void {
  const { joinedAt } = turn.state.facts
  turn.state.position.move({ cursor: joinedAt, chainHash: new Uint8Array(), lastCommit: joinedAt })
  turn.moved()
}

/**
 * Whether the entry is of before this device came, or the commit by which it came: that one also where the Welcome named another place,
 * for it begins the interval that the Welcome told. What stands before that place and is of a later epoch was put there by a service that
 * was restored since.
 */
export function isBeforeOwn({ facts, intervals }: State, { seq, kind, epoch, begins }: Entry): boolean {
  if (seq <= facts.joinedAt) return epoch < facts.firstEpoch
  // What is lost comes back in its order.
  if (facts.rewoundAt !== undefined || kind !== "commit" || epoch + 1n !== facts.firstEpoch) return false
  const told = intervals.newest?.accessKey
  return begins !== undefined && told !== undefined && equalBytes(begins.accessKey, told)
}

/**
 * The commit by which this device came in: should it be lost, nothing else of its epoch can be followed. It is given back where it began
 * no interval, and was so appended in the one that the Welcome told, and where no handshake was passed before, which others give back first.
 */
export function keepEntrance(turn: Turn, { seq, kind, epoch, body, begins }: Entry): void {
  const { chain, facts, intervals, kept, key } = turn.state
  if (kind !== "commit" || seq < facts.joinedAt || epoch + 1n !== facts.firstEpoch) return
  const before = begins === undefined && !chain.hasHandshakes ? intervals.newest : undefined
  kept.put(turn, key, { n: facts.keptNext, seq, kind, epoch, body, begins, before, ownLeaf: new Uint8Array() })
  turn.update({ keptNext: facts.keptNext + 1, joinedAt: seq })
}
