/** Something that is tried again, less and less often. */
export interface Pause {
  readonly tries: number
  /** Unix time in milliseconds. */
  readonly retryAt: number
}

/** What a pause is measured by. */
export interface PauseLimits {
  /** The first pause, in milliseconds; each further one is twice as long. */
  readonly first: number
  /** The longest pause, in milliseconds. */
  readonly most: number
}

/** The longest of all pauses: between answers to knocks that were of no use. */
export const PAUSE_MILLISECONDS_MAX = 6 * 3_600_000

/** Whether a pause is over at `now`. One that would take longer than any was measured by a clock that has been set back since. */
export function isPauseOver(retryAt: number, now: number): boolean {
  return retryAt <= now || retryAt - now > PAUSE_MILLISECONDS_MAX
}

export function pauseAfter(now: number, before: Pause | undefined, { first, most }: PauseLimits): Pause {
  const tries = (before?.tries ?? 0) + 1
  return { tries, retryAt: now + Math.min(most, first * 2 ** Math.min(tries - 1, 30)) }
}

/**
 * How the log is being followed, while it is.
 *
 * - `following`: entry by entry.
 * - `doubting`: the entry `seq` could not be followed. The log is read again, with the state that is stored, before
 *   anything is concluded.
 */
export type Recovery = { readonly type: "following" } | { readonly type: "doubting"; readonly seq: bigint }

/**
 * The entry up to which this device's log is also the service's is being looked for, among those whose hash this device
 * keeps.
 */
export interface Rewinding {
  /** Of the keys that this device knows, the service may know an older one only. */
  tried: number
  /** The entry that the service was asked for last, by the present key. */
  asked: bigint | undefined
  /** The newest entry that is in both logs, as far as is known. */
  ancestor: bigint | undefined
  /** This entry is not in both. */
  parted: bigint | undefined
  /** Entries before this one the service does not keep any more. */
  oldest: bigint
  /** How far the service says that its log goes. */
  head?: bigint
}

/** How far this device's knock has got. */
export interface Knocking {
  /** The service has it. */
  readonly left: boolean
  /** When the service is asked next. */
  readonly pause: Pause | undefined
  /** What the service's incarnation was then, as far as this device knows since it was opened. */
  readonly incarnation?: bigint | undefined
  /** The service is asked whether it is still the one that has the knock, before that is left again. */
  readonly doubted?: boolean
  /** Its day is over, and there is no answer. */
  readonly missed?: boolean
  /** Of the keys that this device knows, the one that it asks for the head with: the service may know an older one only. */
  readonly tried?: number
  /** The head of the log, for a knock that is to be made. */
  readonly seen?: { readonly seq: bigint; readonly chainHash: Uint8Array }
}

/**
 * What the service refuses for the time being.
 *
 * - `missing`: it does not know the group, or does not show it. Nothing is asked before the pause is over; `beneath` is
 *   what it refused before.
 * - `deferred`: it does not take the commit or the message that is next.
 */
export type Obstacle =
  | { readonly type: "none" }
  | { readonly type: "deferred"; readonly of: "commit" | "message"; readonly pause: Pause }
  | { readonly type: "missing"; readonly pause: Pause; readonly beneath: Exclude<Obstacle, { type: "missing" }> }

export const following: Recovery = { type: "following" }
export const unobstructed: Obstacle = { type: "none" }
export const notKnocked: Knocking = { left: false, pause: undefined }

/** As many as there can be in weeks: each answer that is of no use is waited for longer than the one before. */
export const KNOCK_LEAVES_MAX = 64
