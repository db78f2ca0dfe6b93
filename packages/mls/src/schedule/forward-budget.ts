import { StateError } from "../errors.js"
import type { LeafIndex } from "../indexes.js"

/**
 * How far the ratchets of application messages may be turned ahead, over time. A message of 200 bytes that skips a
 * thousand generations costs each receiver a thousand keys: a sender may do it once, and then as fast as the budget grows.
 * What is derived for messages of which nobody knows yet who sent them has a budget of its own, for all senders together.
 */
export class ForwardBudget {
  readonly #now: () => bigint
  readonly #skipsMax: number
  readonly #skipsPerSecond: number
  readonly #skips = new Map<LeafIndex, Bucket>()
  readonly #steps: Bucket

  /** `now`: Unix seconds. */
  constructor(now: () => bigint, limits: { readonly forwardDistanceMax: number; readonly skippedPerSecond: number }) {
    this.#now = now
    this.#skipsMax = limits.forwardDistanceMax
    this.#skipsPerSecond = limits.skippedPerSecond
    this.#steps = new Bucket(STEPS_DISTANCES * limits.forwardDistanceMax, limits.forwardDistanceMax, now())
  }

  /** @throws StateError FORWARD_BUDGET_SPENT where the sender has skipped too many messages of late */
  requireSkips(sender: LeafIndex, count: number): void {
    if (count > (this.#skips.get(sender)?.level(this.#now()) ?? this.#skipsMax)) spent()
  }

  /** The sender has skipped so many messages: this is proven. */
  spendSkips(sender: LeafIndex, count: number): void {
    if (count === 0) return
    const now = this.#now()
    const bucket = this.#skips.get(sender) ?? new Bucket(this.#skipsMax, this.#skipsPerSecond, now)
    bucket.draw(count, now)
    this.#skips.set(sender, bucket)
    if (this.#skips.size > SENDERS_MAX) this.#forgetFull(now)
  }

  /** A message that was skipped has come: it was late, and not left out. */
  returnSkip(sender: LeafIndex): void {
    this.#skips.get(sender)?.draw(-1, this.#now())
  }

  /**
   * Before so many secrets are derived for a message that may be forged; a few of them are free.
   *
   * @throws StateError FORWARD_BUDGET_SPENT
   */
  drawSteps(count: number): void {
    if (count <= FREE_STEPS) return
    const now = this.#now()
    if (count > this.#steps.level(now)) spent()
    this.#steps.draw(count, now)
  }

  /** A sender whose budget is full again is one of whom nothing is known. */
  #forgetFull(now: bigint): void {
    for (const [sender, bucket] of this.#skips) if (bucket.level(now) === this.#skipsMax) this.#skips.delete(sender)
  }
}

/** For so many messages at once that are as far ahead as can be. */
const STEPS_DISTANCES = 8
/** Secrets that are derived for any message: 0.2 ms. */
const FREE_STEPS = 16
const SENDERS_MAX = 1024

/** What is drawn from it grows again with time, up to its size. */
class Bucket {
  readonly #size: number
  readonly #perSecond: number
  #content: number
  #since: bigint

  constructor(size: number, perSecond: number, now: bigint) {
    this.#size = size
    this.#perSecond = perSecond
    this.#content = size
    this.#since = now
  }

  level(now: bigint): number {
    // A clock that was put back gives nothing, and takes nothing.
    const seconds = now > this.#since ? Number(now - this.#since) : 0
    return Math.min(this.#size, this.#content + seconds * this.#perSecond)
  }

  draw(count: number, now: bigint): void {
    this.#content = this.level(now) - count
    this.#since = now
  }
}

function spent(): never {
  throw new StateError(
    "FORWARD_BUDGET_SPENT",
    "the message skips more of its sender's messages than it may at this time",
  )
}
