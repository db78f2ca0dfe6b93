import { faultOf, framesOf } from "../diagnostics/faults.js"
import type { Log } from "../diagnostics/log.js"

/** The listener is called in the middle of what has happened already, and must not be able to undo a part of it. */
export function observing(log: Log, listener: () => void): () => void {
  return () => {
    try {
      listener()
    } catch (error) {
      log.write("listener failed", { error: faultOf(error), frames: framesOf(error) })
    }
  }
}
