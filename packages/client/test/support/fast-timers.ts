import type { Timers } from "../../src/timers.js"

/** Clocks that go so many times faster than the computer's; and timers that can be taken away. */
export class FastTimers implements Timers {
  /** No timer fires until this is changed back. */
  areHeld = false
  readonly #factor: number

  constructor(factor: number) {
    this.#factor = factor
  }

  after(milliseconds: number, callback: () => void): () => void {
    const wait = Math.min(milliseconds / this.#factor, 2 ** 31 - 1)
    const timer = setTimeout(() => this.areHeld || callback(), wait)
    return () => clearTimeout(timer)
  }

  elapsed(): number {
    return performance.now() * this.#factor
  }
}
