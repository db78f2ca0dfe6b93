/** Lifetimes are corrected by no more than this: the rest of what a service says of the time is for its own ears. */
const CORRECTION_MILLISECONDS_MAX = 2 * 86_400_000

/** A clock that has gone back by more than this was set: what was learned was about another one. */
const SET_BACK_MILLISECONDS = 60_000

/** This device's clock, corrected by what the Delivery Service says of its own. */
export class ServiceClock {
  readonly #now: () => number
  #offset = 0
  /** What this device's clock has shown at most since it was set back last. */
  #latest = Number.NEGATIVE_INFINITY

  /** `now`: Unix time in milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** What the service's clock shows, as far as that is known: for proofs, which the service alone checks. */
  now(): number {
    const now = this.#look()
    return Math.max(0, now + this.#offset)
  }

  /** For lifetimes of leaf nodes, which are a matter between members: corrected by two days at most. */
  lifetimeNow(): number {
    const most = CORRECTION_MILLISECONDS_MAX
    const now = this.#look()
    return now + Math.min(most, Math.max(-most, this.#offset))
  }

  /** `serviceTime`: Unix time in milliseconds, as the service has just told it. */
  learn(serviceTime: bigint): void {
    const now = this.#look()
    this.#offset = Number(BigInt.asUintN(53, serviceTime)) - now
  }

  #look(): number {
    const now = this.#now()
    const isSetBack = now < this.#latest - SET_BACK_MILLISECONDS
    if (isSetBack) this.#offset = 0
    this.#latest = isSetBack ? now : Math.max(this.#latest, now)
    return now
  }
}
