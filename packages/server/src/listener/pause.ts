import { setTimeout as timeout } from "node:timers/promises"

/** Resolves after so long, or when the signal is aborted. */
export const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  timeout(milliseconds, undefined, { signal }).catch(() => {})
