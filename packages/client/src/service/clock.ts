/** Lifetimes are corrected by no more than this: the rest of what a service says of the time is for its own ears. */
const CORRECTION_MILLISECONDS_MAX = 2 * 86_400_000

/** A clock that has gone back by more than this was set: what was learned was about another one. */
const SET_BACK_MILLISECONDS = 60_000

/** This device's clock, corrected by what the Delivery Service says of its own. */
export class ServiceClock {
  readonly #now: () => number
  #learned = { offset: 0, at: Number.NEGATIVE_INFINITY }

  /** `now`: Unix time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** What the service's clock shows, as far as that is known: for proofs, which the service alone checks. */
  now(): number {
    return Math.max(0, this.#now() + this.#offset())
  }

  /** For lifetimes of leaf nodes, which are a matter between members: corrected by two days at most. */
  lifetimeNow(): number {
    const most = CORRECTION_MILLISECONDS_MAX
    return this.#now() + Math.min(most, Math.max(-most, this.#offset()))
  }

  /** `serviceTime`: Unix time in milliseconds, as the service has just told it. */
  learn(serviceTime: bigint): void {
    const at = this.#now()
    this.#learned = { offset: Number(BigInt.asUintN(53, serviceTime)) - at, at }
  }

  #offset(): number {
    const { offset, at } = this.#learned
    return this.#now() < at - SET_BACK_MILLISECONDS ? 0 : offset
  }
}
