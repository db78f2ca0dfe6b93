/** The platform's timers: passed in, so that a test can put a clock of its own in their place. */
export interface Timers {
  /** Calls `callback` once, `milliseconds` from now. Returns what prevents it. */
  after(milliseconds: number, callback: () => void): () => void
}

export const platformTimers: Timers = {
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds)
    return () => clearTimeout(timer)
  },
}
