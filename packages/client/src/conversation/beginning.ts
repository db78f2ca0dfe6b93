import { deliveryRequests } from "@conclave/contracts/delivery"
import { logChainStart } from "@conclave/contracts/log-chain"
import { Group } from "@conclave/mls"
import type { WishOf } from "../records/records.js"
import { atOnce } from "./committing.js"
import { type TakenOver, takeOver } from "./continuing.js"
import { intervalIn } from "./epoch-interval.js"
import { following, unobstructed } from "./recovery.js"
import { IDEMPOTENCY_ID_SIZE } from "./request.js"
import { noFacts, type State } from "./state.js"
import type { Turn } from "./turn.js"
import type { Numbered } from "./wishes.js"

/** What a new conversation begins with. */
export interface Beginning {
  readonly title: string
  readonly members: readonly string[]
  /** What it continues, if anything. */
  readonly takes?: TakenOver
}

/** Makes the group, and the wishes to make it known to the service and to invite the members, all in one step. */
export function begin(turn: Turn, { title, members, takes }: Beginning): void {
  const { state, moment } = turn
  const { identity, groupOptions, random } = moment
  const group = Group.create({ ...groupOptions, suite: identity.suite, signer: identity.signer, groupId: state.id })
  state.intervals.add(turn, state.key, intervalIn(group))
  turn.replaceGroup(group)
  turn.update({ ...noFacts, status: "creating", title, leafSince: BigInt(moment.now) })
  state.position.move({
    cursor: 0n,
    chainHash: logChainStart((...parts) => identity.sha256(...parts), state.id),
    lastCommit: 0n,
  })
  state.chain.start(0n, state.position.chainHash)
  state.recovery = following
  state.obstacle = unobstructed
  const request = creation(state, random(IDEMPOTENCY_ID_SIZE))
  const wishes = [turn.addWish({ type: "create", request })]
  for (const names of atOnce(members)) wishes.push(turn.addWish({ type: "invite", names, claimed: [] }))
  for (const wish of wishes) turn.add({ type: "wished", wish, messageId: undefined })
  if (takes !== undefined) takeOver(turn, takes)
}

/** A group that an earlier version of this program made, and of which the service does not know yet. */
export function announceGroup(turn: Turn, [number, wish]: Numbered<WishOf<"create">>): void {
  const { state } = turn
  state.intervals.add(turn, state.key, intervalIn(state.group!))
  turn.putWish(number, { ...wish, request: creation(state, wish.request) })
}

function creation({ id: groupId, intervals }: State, idempotencyId: Uint8Array): Uint8Array {
  const { accessKey } = intervals.newest!
  return deliveryRequests.encode({ type: "createGroup", groupId, idempotencyId, accessKey })
}
