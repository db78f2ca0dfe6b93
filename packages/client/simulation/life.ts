/**
 * One run of a device's program, from its opening to its end. Each transaction and each request passes points, before
 * and after it has happened; where a crash is due at one, nothing that the program does from then on has any effect.
 */
export class Life {
  readonly #ending = new AbortController()
  /** What waits for an answer: it is broken off at the end. */
  readonly #waiting = new Set<() => void>()
  readonly #onCrash: () => void
  #pointsLeft: number | undefined

  constructor(onCrash: () => void) {
    this.#onCrash = onCrash
  }

  /** Aborted when the power is off. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  get isOver(): boolean {
    return this.#ending.signal.aborted
  }

  /** The power fails after so many more points. */
  crashAfter(points: number): void {
    this.#pointsLeft = points
  }

  /** @throws Error when the power is off, or fails here */
  point(): void {
    if (!this.isOver && this.#pointsLeft !== undefined && this.#pointsLeft-- === 0) this.crash()
    this.requireOn()
  }

  requireOn(): void {
    if (this.isOver) throw new Error("the power is off")
  }

  crash(): void {
    if (this.isOver) return
    this.#ending.abort()
    for (const breakOff of [...this.#waiting]) breakOff()
    this.#onCrash()
  }

  /** `breakOff` is called when the power fails; returns what forgets it. */
  wait(breakOff: () => void): () => void {
    this.#waiting.add(breakOff)
    return () => this.#waiting.delete(breakOff)
  }
}
