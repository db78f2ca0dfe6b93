import type { Append } from "@conclave/delivery/api"
import type { Work } from "./context.js"

export const IDEMPOTENCY_ID_SIZE = 16

/** The bytes of a request to append; whoever repeats them gets the first answer. */
export function appendRequest(
  { local, delivery, random }: Pick<Work, "delivery" | "random"> & { readonly local: Pick<Work["local"], "id"> },
  append: Omit<Append, "groupId" | "idempotencyId">,
): Uint8Array {
  const idempotencyId = random(IDEMPOTENCY_ID_SIZE)
  return delivery.encode({ type: "append", groupId: local.id, idempotencyId, ...append })
}
