/** What a service answers that could not do it now. */
export interface UnavailableAnswer {
  readonly type: "unavailable"
  readonly reason: string
  readonly retryAfterMilliseconds: number
}

/** Of an error that is nobody's condition: it may pass with whatever brought it. */
const FAILED_MILLISECONDS = 5_000

/**
 * The answer to a request that failed: with the reason where a store could not do it now (`code` `STORE_UNAVAILABLE`), and
 * without any word of other errors. Who was refused at the same time comes back one by one, within half as long again as the
 * store says. `random(length)` returns that many bytes.
 */
export function unavailableAnswer(error: unknown, random: (length: number) => Uint8Array): UnavailableAnswer {
  const isOfStore = error instanceof Error && "code" in error && error.code === "STORE_UNAVAILABLE"
  const named = isOfStore && "retryAfterMilliseconds" in error ? Number(error.retryAfterMilliseconds) : Number.NaN
  const least = Number.isFinite(named) ? named : FAILED_MILLISECONDS
  return {
    type: "unavailable",
    reason: isOfStore ? error.message : "the service failed",
    retryAfterMilliseconds: Math.round(least * (1 + random(1)[0]! / 510)),
  }
}
