import type { Sliced } from "@conclave/mls"
import { platformTimers, type Timers } from "./timers.js"

/** So long work goes on before the event loop has its turn: half of a frame on a screen. */
const SLICE_MILLISECONDS = 8
/** So many members cost less than a slice. */
const MEMBERS_MIN = 32

/** How work on large groups is cut, so that whatever else a program does is not held up by it. */
export interface Slicing {
  /** A commit that adds, or reaches, fewer members is worked on at once. */
  readonly membersMin: number
  /** Begins a slice. What it returns says whether the slice is over. */
  begin(): () => boolean
  /** Resolves in another turn of the event loop. */
  turn(): Promise<void>
}

export function slicingBy(timers: Timers): Slicing {
  return {
    membersMin: MEMBERS_MIN,
    begin() {
      const begun = timers.elapsed()
      return () => timers.elapsed() - begun >= SLICE_MILLISECONDS
    },
    turn: () => new Promise((resolve) => (timers.turn ?? ((callback) => timers.after(0, callback)))(resolve)),
  }
}

export const platformSlicing: Slicing = slicingBy(platformTimers)

/**
 * Does the work in slices, and resolves in a turn of its own. Rejects with what the work throws; and with the signal's
 * reason: then, too, nothing is left of the secrets that it had.
 */
export async function inSlices<T>(work: Sliced<T>, slicing: Slicing, signal: AbortSignal): Promise<T> {
  try {
    for (;;) {
      await slicing.turn()
      signal.throwIfAborted()
      const isOver = slicing.begin()
      do {
        const { done, value } = work.next()
        if (done === true) return value
      } while (!isOver())
    }
  } finally {
    work.return(undefined as never)
  }
}
