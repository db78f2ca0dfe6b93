const DAY_MILLISECONDS = 86_400_000

/** How many conversations this device renews by age in a day: their commits are work for all members. */
export class Renewals {
  readonly #perDay: number
  #since = 0
  #count = 0

  constructor(perDay: number) {
    this.#perDay = perDay
  }

  /** At `now`, Unix time in milliseconds. */
  left(now: number): number {
    return Math.abs(now - this.#since) >= DAY_MILLISECONDS ? this.#perDay : this.#perDay - this.#count
  }

  note(now: number): void {
    if (Math.abs(now - this.#since) >= DAY_MILLISECONDS) {
      this.#since = now
      this.#count = 0
    }
    this.#count++
  }
}
