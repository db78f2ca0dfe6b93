import { deliveryRequests } from "@conclave/contracts/delivery"
import { logChainStart } from "@conclave/contracts/log-chain"
import { Group } from "@conclave/mls"
import { atOnce } from "./committing.js"
import { following, unobstructed } from "./recovery.js"
import { IDEMPOTENCY_ID_SIZE } from "./request.js"
import { noFacts } from "./state.js"
import type { Turn } from "./turn.js"

/** What a new conversation begins with. */
export interface Beginning {
  readonly title: string
  readonly members: readonly string[]
}

/** Makes the group, and the wishes to make it known to the service and to invite the members, all in one step. */
export function begin(turn: Turn, { title, members }: Beginning): void {
  const { state, moment } = turn
  const { identity, groupOptions, random } = moment
  const group = Group.create({ ...groupOptions, suite: identity.suite, signer: identity.signer, groupId: state.id })
  turn.replaceGroup(group)
  turn.update({ ...noFacts, status: "creating", title })
  state.position.move({
    cursor: 0n,
    chainHash: logChainStart((...parts) => identity.sha256(...parts), state.id),
    lastCommit: 0n,
  })
  state.recovery = following
  state.obstacle = unobstructed
  const request = deliveryRequests.encode({
    type: "createGroup",
    groupId: state.id,
    idempotencyId: random(IDEMPOTENCY_ID_SIZE),
    groupInfo: group.groupInfo({ withRatchetTree: false, withExternalPub: true }),
    ratchetTree: group.ratchetTree(),
  })
  const wishes = [turn.addWish({ type: "create", request })]
  for (const names of atOnce(members)) wishes.push(turn.addWish({ type: "invite", names, claimed: [] }))
  for (const wish of wishes) turn.add({ type: "wished", wish, messageId: undefined })
}
