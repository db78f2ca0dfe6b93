import type { VerifyLeaves } from "../client.js"

type Join = Parameters<VerifyLeaves>[1]
/** Resolves with whether all signatures are valid. */
type VerifyBatch = (scheme: Parameters<VerifyLeaves>[0], signatures: ReturnType<Join["signatures"]>) => Promise<boolean>

/** Gives the signatures of a tree with at least `leavesMin` leaves to `verifyBatch`, and leaves smaller ones to the client. */
export function verifyFrom(leavesMin: number, verifyBatch: VerifyBatch): VerifyLeaves {
  return async (scheme, { leaves, signatures }: Join) => leaves >= leavesMin && verifyBatch(scheme, signatures())
}
