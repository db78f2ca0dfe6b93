const PAUSE_MILLISECONDS_MAX = { looking: 10_000, away: 60_000 }

/** Whether somebody looks at what the client shows: until then there is more time for everything that is tried again. */
export class Attention {
  isLooking = false

  /** The longest pause between two tries, in milliseconds. */
  get pauseMax(): number {
    return PAUSE_MILLISECONDS_MAX[this.isLooking ? "looking" : "away"]
  }
}
