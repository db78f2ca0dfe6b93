import type { DeliveryResponse } from "@conclave/contracts/delivery"
import type { Refusal, Refused, Suspended } from "./store/store.js"

export const done: DeliveryResponse = { type: "done" }
export const invalid = (reason: string): DeliveryResponse => ({ type: "invalid", reason })
export const forbidden = (reason: string): DeliveryResponse => ({ type: "forbidden", reason })
/** Clients of every version show the reason of `forbidden` as it is. */
export const suspended = ({ message }: Suspended): DeliveryResponse => forbidden(message)
export const notFound = (groupId: Uint8Array): DeliveryResponse => ({ type: "notFound", groupId })
export const throttled = (milliseconds: number): DeliveryResponse => ({
  type: "throttled",
  // A slow rate's wait may be longer than the field: whoever comes back too soon is told again.
  retryAfterMilliseconds: Math.min(milliseconds, 0xffff_ffff),
})

export const refused = (refusal: Refusal): DeliveryResponse =>
  refusal.type === "throttled" ? throttled(refusal.retryAfterMilliseconds) : refusal

/** To what is asked of a group. */
export const refusedOf = (groupId: Uint8Array, refusal: Refused): DeliveryResponse =>
  refusal.type === "notFound" || refusal.type === "denied" ? { ...refusal, groupId } : refusal

/** No group lives for 2⁶³ entries: a larger number says the same, and fits into a database. */
export const counted = (number: bigint) => (number > COUNT_MAX ? COUNT_MAX : number)
const COUNT_MAX = 2n ** 63n - 1n
