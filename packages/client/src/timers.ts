/** The platform's timers, as a client uses them: passed in, so that a simulation can put a clock of its own in their place. */
export interface Timers {
  /** Calls `callback` once, `milliseconds` from now. Returns what prevents it; calling that again, or too late, does nothing. */
  after(milliseconds: number, callback: () => void): () => void
  /**
   * Calls `callback` in another turn of the event loop, as soon as what waits has had its own. Where it is absent, a timer
   * of no time is taken.
   */
  turn?(callback: () => void): void
  /** Milliseconds on a clock that is never set; where it began means nothing. */
  elapsed(): number
}

export const platformTimers: Timers = {
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds)
    return () => clearTimeout(timer)
  },
  turn,
  elapsed: () => performance.now(),
}

/** Browsers let a timer wait 4 ms, and have no `setImmediate`; a port's messages are turns of their own. */
function turn(callback: () => void): void {
  const { setImmediate } = globalThis as { readonly setImmediate?: (callback: () => void) => unknown }
  if (setImmediate !== undefined) {
    setImmediate(callback)
    return
  }
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    callback()
  }
  port2.postMessage(undefined)
}
