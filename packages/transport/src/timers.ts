/** Clocks and timers, as a line uses them: passed in, so that a test can put clocks of its own in their place. */
export interface Timers {
  /** Calls `callback` once, `milliseconds` from now. Returns what prevents it; calling that again, or too late, does nothing. */
  after(milliseconds: number, callback: () => void): () => void
  /** Milliseconds on a clock that is never set; it may stand still while the machine sleeps. */
  elapsed(): number
  /** Unix time in milliseconds: it goes on while the machine sleeps. */
  now(): number
}

export const platformTimers: Timers = {
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds)
    return () => clearTimeout(timer)
  },
  elapsed: () => performance.now(),
  now: () => Date.now(),
}
