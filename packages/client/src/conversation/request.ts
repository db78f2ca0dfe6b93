import { noAccess } from "@conclave/contracts/access"
import { type Append, deliveryRequests } from "@conclave/contracts/delivery"
import type { Outgoing } from "../records/records.js"

export const IDEMPOTENCY_ID_SIZE = 16

/** The log of a group, as a request to append needs to know it. */
export interface Target {
  readonly id: Uint8Array
  readonly lastCommit: bigint | undefined
}

type Random = (length: number) => Uint8Array

/** A request to append after the last commit that this device has read. What proves the access comes when it is sent. */
export function outgoing(
  { id, lastCommit }: Target,
  append: Omit<Append, "groupId" | "idempotencyId" | "after" | "access">,
  random: Random,
): Outgoing {
  const { epoch, body } = append
  const place = { groupId: id, idempotencyId: random(IDEMPOTENCY_ID_SIZE), after: lastCommit ?? 0n, access: noAccess }
  return { epoch, body, request: deliveryRequests.encode({ type: "append", ...append, ...place }) }
}

/**
 * The same message after another commit: for one that was refused as stale although its epoch still stands, because what
 * was appended meanwhile does not hold. It is another request, with an idempotency id of its own: the old one is refused
 * for ever, as the last commit of a log only grows.
 */
export function moved({ lastCommit }: Target, { epoch, body, request }: Outgoing, random: Random): Outgoing {
  const after = lastCommit ?? 0n
  const append = { ...appendOf(request), idempotencyId: random(IDEMPOTENCY_ID_SIZE), after }
  return { epoch, body, request: deliveryRequests.encode(append) }
}

/** The idempotency id of a request that {@link outgoing} or {@link moved} made: 16 bytes. */
export function idempotencyIdOf({ request }: Outgoing): Uint8Array {
  return appendOf(request).idempotencyId
}

/** What {@link outgoing} has encoded. */
export function appendOf(request: Uint8Array): Append & { readonly type: "append" } {
  const append = deliveryRequests.decode(request)
  if (append.type !== "append") throw new TypeError("this is not a request to append")
  return append
}
