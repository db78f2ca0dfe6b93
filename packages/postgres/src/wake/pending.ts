import { FRAME_HINTS_MAX } from "./frame.js"

/** What a frame is to tell. */
export interface Telling {
  readonly everything: boolean
  readonly hints: readonly string[]
}

/** The hints that wait for the bus, each once and no more than `max` of them: beyond that, everything is worth a look. */
export class Pending {
  readonly #max: number
  readonly #hints = new Set<string>()
  #everything = false

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#hints.size + (this.#everything ? 1 : 0)
  }

  add(hint: string): void {
    if (this.#everything) return
    this.#hints.add(hint)
    if (this.#hints.size > this.#max) this.#addEverything()
  }

  /** The oldest, as many as one frame holds. */
  take(): Telling {
    const everything = this.#everything
    this.#everything = false
    const hints: string[] = []
    for (const hint of this.#hints) {
      if (hints.length === FRAME_HINTS_MAX) break
      hints.push(hint)
      this.#hints.delete(hint)
    }
    return { everything, hints }
  }

  /** What was taken and perhaps not told. */
  putBack({ everything, hints }: Telling): void {
    if (everything) this.#addEverything()
    for (const hint of hints) this.add(hint)
  }

  #addEverything(): void {
    this.#everything = true
    this.#hints.clear()
  }
}
