import type { Entry } from "@conclave/contracts/delivery"
import { logChainStart } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import { commitHash } from "../access/newcomer.js"
import type { Next } from "./question.js"
import { hasLookedSince, NOT_GIVEN_BACK, quietSince } from "./restored.js"
import type { State } from "./state.js"
import { stick } from "./stuck.js"
import type { Turn } from "./turn.js"

/**
 * The commit by which this device came in, which its Welcome names by a hash. Before that stands in the log, no other handshake of this
 * device's epochs holds: a service that was restored may have lost the commit, and all others wait for it too. Where it is not named, as
 * before there were keys, it is taken to be where the Welcome is said to come from.
 */

/** Goes to the place of a commit that no Welcome names: the chain begins with what comes after it. */
function comeIn(turn: Turn): void {
  const { facts, position } = turn.state
  position.move({ cursor: facts.joinedAt, chainHash: new Uint8Array(), lastCommit: facts.joinedAt })
}

/**
 * Takes the log up with that commit, at `seq`, where nothing is known of what is before it but that it is the same in all logs
 * of a group. Should the service lose what comes after it, its hash shows where the logs part.
 */
export function beginBefore(turn: Turn, seq: bigint): void {
  const { state, moment } = turn
  if (seq === 0n) {
    state.position.move({ cursor: 0n, chainHash: new Uint8Array(), lastCommit: 0n })
    return
  }
  const isFirst = seq === 1n
  const start = () => logChainStart((...parts) => moment.identity.sha256(...parts), state.id)
  const chainHash = isFirst ? start() : new Uint8Array()
  state.position.move({ cursor: seq - 1n, chainHash, lastCommit: isFirst ? 0n : undefined })
  state.chain.start(seq - 1n, chainHash)
  turn.update({ joinedAt: seq })
}

/** Takes the log up there after all, where it does not lead there from what the inviter had read. */
export function beginAtEntrance(turn: Turn): void {
  const { entrance, facts } = turn.state
  if (entrance === undefined) comeIn(turn)
  else beginBefore(turn, facts.joinedAt)
  turn.moved()
}

/**
 * The service keeps nothing before `oldestSeq`: takes the log up with that commit, if it may be kept, and this device has not been there.
 * Where it was may be something else by now, if the service was restored: so it has to be seen.
 */
export function skipToEntrance(turn: Turn, oldestSeq: bigint): boolean {
  const { entrance, facts, position } = turn.state
  const last = entrance === undefined ? facts.joinedAt : facts.joinedAt - 1n
  if (position.cursor >= last || (entrance !== undefined && oldestSeq > facts.joinedAt)) return false
  beginAtEntrance(turn)
  return true
}

/** Whether the entry is of before this device came, or, while that is awaited, of before the commit by which it came. */
export function isBeforeOwn({ facts, awaitsEntrance }: State, { seq, epoch }: Entry): boolean {
  return (seq <= facts.joinedAt || awaitsEntrance) && epoch < facts.firstEpoch
}

/**
 * The commit by which this device came in: should it be lost, nothing else of its epoch can be followed. It is given back where it began
 * no interval, and was so appended in the one that the Welcome told, and where no handshake was passed before, which others give back first.
 */
export function keepEntrance(turn: Turn, entry: Entry): void {
  const { chain, facts, intervals, kept, key, entrance } = turn.state
  const { seq, kind, epoch, body, begins } = entry
  if (kind !== "commit" || epoch + 1n !== facts.firstEpoch) return
  if (entrance === undefined ? seq < facts.joinedAt : !isNamed(turn, entrance.commit, entry)) return
  const before = begins === undefined && !chain.hasHandshakes ? intervals.newest : undefined
  kept.put(turn, key, { n: facts.keptNext, seq, kind, epoch, body, begins, before, ownLeaf: new Uint8Array() })
  turn.update({ keptNext: facts.keptNext + 1, joinedAt: seq })
  if (entrance !== undefined) turn.putEntrance({ ...entrance, isSeen: true })
}

/** Whether an entry is the commit that a Welcome names. */
export function isNamed({ moment: { identity } }: Turn, commit: Uint8Array, entry: Entry): boolean {
  return equalBytes(
    commit,
    commitHash((...parts) => identity.sha256(...parts), entry),
  )
}

/** At the head of the log, without that commit: nothing is sent before others have given it back. Then this device asks to be let in. */
export function awaitEntrance(turn: Turn): Next {
  const { state, moment } = turn
  const { entrance } = state
  if (entrance === undefined || entrance.isSeen) return "again"
  if (entrance.missedAt === undefined) turn.putEntrance({ ...entrance, missedAt: BigInt(moment.now) })
  const due = entranceDue(state, moment.now)!
  if (due > moment.now) return "idle"
  if (!hasLookedSince(turn, due)) return "again"
  stick(turn, NOT_GIVEN_BACK)
  return { type: "reload" }
}

/** Until when that is waited for (Unix time in milliseconds). */
export function entranceDue({ entrance }: State, now: number): number | undefined {
  if (entrance?.missedAt === undefined || entrance.isSeen) return undefined
  return quietSince(entrance.missedAt, now)
}
