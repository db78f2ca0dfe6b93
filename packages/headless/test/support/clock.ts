import type { Timers } from "../../src/timers.js"

/** Timers that fire when the test says so, and never by themselves. */
export class HeldTimers implements Timers {
  readonly #waiting = new Set<() => void>()

  get waiting(): number {
    return this.#waiting.size
  }

  after(_: number, callback: () => void): () => void {
    const fire = () => {
      this.#waiting.delete(fire)
      callback()
    }
    this.#waiting.add(fire)
    return () => this.#waiting.delete(fire)
  }

  fire(): void {
    for (const fire of [...this.#waiting]) fire()
  }
}
