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

export function pauseAfter(now: number, before: Pause | undefined, { first, most }: PauseLimits): Pause {
  const tries = (before?.tries ?? 0) + 1
  return { tries, retryAt: now + Math.min(most, first * 2 ** Math.min(tries - 1, 30)) }
}

/**
 * How the log is being followed. `rejoins` counts this device's external commits since it last followed an entry.
 *
 * - `following`: entry by entry.
 * - `doubting`: the entry `seq` could not be followed. The log is read again, with the state that is stored, before
 *   anything is concluded.
 * - `rejoining`: the log cannot be followed (status `recovering`).
 */
export type Recovery =
  | { readonly type: "following"; readonly rejoins: number }
  | { readonly type: "doubting"; readonly rejoins: number; readonly seq: bigint }
  | {
      readonly type: "rejoining"
      readonly rejoins: number
      /** The commit that this device could not follow, if that is the reason and its sender is not known. */
      readonly refusedCommit: bigint | undefined
      readonly offer: Offer
    }

/** What the service has to rejoin by: `useless` with the commit `seq`, until `pause` is over. */
export type Offer =
  | { readonly type: "unknown" }
  | { readonly type: "useless"; readonly seq: bigint; readonly pause: Pause }

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

/**
 * Entries of an epoch that this device has not reached. Anybody can claim one: `noted` until it has been looked up
 * whether a member signed for a later epoch, at most once for each pause.
 */
export type Unreached =
  | { readonly type: "none" }
  | { readonly type: "noted"; readonly pause: Pause }
  | { readonly type: "looked"; readonly pause: Pause }

export const following: Recovery = { type: "following", rejoins: 0 }
export const unobstructed: Obstacle = { type: "none" }
