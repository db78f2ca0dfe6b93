import { nameOf } from "@conclave/identity/verdicts"
import { leafIndex, type Member } from "@conclave/mls"
import { THIS_DEVICE_REVOKED } from "../errors.js"
import { noneRevoked, type RevokedLeaf } from "./revoked-leaves.js"
import type { Moment, State } from "./state.js"
import type { Turn } from "./turn.js"

/**
 * Leaves that this device is to take out of the tree. None where it follows nothing, where its person has not accepted the
 * invitation, and where it is revoked itself: then the others do.
 */
export function revokedLeaves(state: State, { revoked, invitation }: Pick<Moment, "revoked" | "invitation">) {
  const isIdle =
    state.facts.status !== "active" || invitation?.answer === "waiting" || invitation?.answer === "declined"
  return isIdle || revoked.isThisDevice ? noneRevoked.leaves : leavesIn(state, revoked)
}

function leavesIn(state: State, revoked: Moment["revoked"]): readonly RevokedLeaf[] {
  const nodes = state.outline.shown?.nodes
  if (revoked.size === 0 || nodes === undefined) return noneRevoked.leaves
  if (state.revokedFound.nodes === nodes && state.revokedFound.size === revoked.size) return state.revokedFound.leaves
  const leaves = nodes.flatMap((node, at): RevokedLeaf[] => {
    const since = node.type === "leaf" ? revoked.since(node.name, node.signatureKey) : undefined
    return since === undefined ? [] : [{ leafIndex: leafIndex(at / 2), since }]
  })
  state.revokedFound = { nodes, size: revoked.size, leaves }
  return leaves
}

/**
 * When this device is to take revoked devices out (Unix time in milliseconds), if there are any. Members take turns in the order
 * of the tree, from when each learned of it; whoever is to say something does it before.
 */
export function removalDue(
  state: State,
  moment: Pick<Moment, "revoked" | "invitation" | "leaveDelayMilliseconds" | "now">,
): number | undefined {
  const leaves = revokedLeaves(state, moment)
  const { nodes = [], ownLeafIndex = 0 } = state.outline.shown ?? {}
  if (leaves.length === 0) return undefined
  const gone = new Set<number>(leaves.map((it) => 2 * it.leafIndex))
  const before = nodes.filter((node, at) => node.type === "leaf" && at < 2 * ownLeafIndex && !gone.has(at)).length
  // From the first of them on: one more does not put the others off.
  const since = Math.min(...leaves.map((it) => it.since))
  return since > moment.now ? moment.now : since + before * moment.leaveDelayMilliseconds
}

/** Tells of members that a commit has taken out, and that were revoked. Returns whether there were any. */
export function tellRemoved(turn: Turn, removed: readonly Member[], committer: Member | undefined): boolean {
  const { state, moment } = turn
  const gone = removed.filter(({ credential, signatureKey }) => {
    return moment.revoked.since(nameOf(credential) ?? "", signatureKey) !== undefined
  })
  for (const { credential, signatureKey } of gone) {
    const name = nameOf(credential) ?? ""
    const by = (committer && nameOf(committer.credential)) ?? ""
    turn.emit({ type: "deviceRevoked", conversation: state.id, name, signatureKey, by })
  }
  return gone.length > 0
}

/** A revoked device asks for nothing any more: what was wished for has failed. */
export function endWishes(turn: Turn): void {
  turn.failAll({ code: "REVOKED", reason: THIS_DEVICE_REVOKED })
  turn.putCommit(undefined)
}
