/** The platform's timers, as a client uses them: passed in, so that a simulation can put a clock of its own in their place. */
export interface Timers {
  /** Calls `callback` once, `milliseconds` from now. Returns what prevents it; calling that again, or too late, does nothing. */
  after(milliseconds: number, callback: () => void): () => void
  /** Milliseconds on a clock that is never set; where it began means nothing. */
  elapsed(): number
}

export const platformTimers: Timers = {
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds)
    return () => clearTimeout(timer)
  },
  elapsed: () => performance.now(),
}
