import type { Append } from "@conclave/contracts/delivery"
import type { Outgoing } from "../core/records.js"
import type { Work } from "./context.js"

export const IDEMPOTENCY_ID_SIZE = 16

/** What a request to append needs of a conversation. */
type Target = Pick<Work, "delivery" | "random"> & {
  readonly local: { readonly id: Uint8Array; readonly state: Pick<Work["local"]["state"], "lastCommit"> }
}

/** A request to append after the last commit that this device has read, or after the one that is given. */
export function outgoing(
  { local, delivery, random }: Target,
  append: Omit<Append, "groupId" | "idempotencyId" | "after">,
  after = local.state.lastCommit ?? 0n,
): Outgoing {
  const idempotencyId = random(IDEMPOTENCY_ID_SIZE)
  const { epoch, body } = append
  const request = delivery.encode({ type: "append", groupId: local.id, idempotencyId, ...append, after })
  return { epoch, body, request }
}

/**
 * The same request in another place: for one that was refused as stale although its epoch still stands, because what was
 * appended meanwhile does not hold. Its old bytes are refused for ever, as the last commit of a log only grows.
 */
export function moved(
  { local, delivery }: Pick<Work, "local" | "delivery">,
  { epoch, body, request }: Outgoing,
): Outgoing {
  const append = delivery.decodeAppend(request)
  return { epoch, body, request: delivery.encode({ ...append, after: local.state.lastCommit ?? 0n }) }
}
