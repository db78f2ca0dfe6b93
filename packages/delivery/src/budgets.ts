import type { Rate } from "@conclave/transport"
import type { Wait } from "./rates.js"

/**
 * A token bucket as one number, which can be stored: when it is full again. `fullAt` and `now`: milliseconds of Unix time.
 */
export interface Budget {
  readonly rate: Rate
  readonly fullAt: number
}

/** Milliseconds until one more can be taken; `undefined` where it can be now. */
export function budgetWait(budget: Budget, now: number): Wait {
  const { perSecond, burst } = budget.rate
  const wait = owed(budget, now) - ((burst - 1) / perSecond) * 1000
  return wait > 0 ? Math.ceil(wait) : undefined
}

/** How many can be taken now, with fractions. */
export const placesOf = (budget: Budget, now: number): number =>
  budget.rate.burst - (owed(budget, now) / 1000) * budget.rate.perSecond

/** When it is full again once one more was taken. */
export const afterTaking = (budget: Budget, now: number): number =>
  now + owed(budget, now) + 1000 / budget.rate.perSecond

/** Milliseconds until it is full. No taking makes that longer than from empty: the clock was set back, and it begins anew. */
function owed({ rate, fullAt }: Budget, now: number): number {
  const owed = Math.max(0, fullAt - now)
  return owed > (rate.burst / rate.perSecond) * 1000 + ROUNDING ? 0 : owed
}

/** A millisecond of Unix time has eight more bits behind it. */
const ROUNDING = 0.01
