import type { DeclinedEvent } from "../events.js"

export type DeclineReason = DeclinedEvent["reason"]

/** Authenticated data of the proposal by which a device leaves that never came: ASCII, so that a log shows it. */
const DECLINED: Readonly<Record<DeclineReason, string>> = {
  declined: "conclave declined",
  unverified: "conclave declined: unverified",
  limit: "conclave declined: limit",
}

export function declinedData(reason: DeclineReason): Uint8Array {
  return new TextEncoder().encode(DECLINED[reason])
}

/** What the authenticated data of a request to be removed says, if it says that its sender never wanted to come. */
export function declineReasonOf(authenticatedData: Uint8Array): DeclineReason | undefined {
  const text = String.fromCharCode(...authenticatedData.subarray(0, 64))
  return (Object.keys(DECLINED) as DeclineReason[]).find((reason) => DECLINED[reason] === text)
}
