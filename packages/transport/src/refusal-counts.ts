/// <reference lib="esnext.disposable" preserve="true" />
/** As far as it is counted: two refusals of one kind and level are the same. */
export interface CountedRefusal {
  readonly kind: string
  readonly level?: string | undefined
}

interface Count<Refusal> {
  readonly refusal: Refusal
  count: number
}

/** Refusals of a kind are told once in this time. */
export const REFUSALS_EVERY_MILLISECONDS = 10_000

/**
 * Counts what is refused, and tells of each kind and level once in ten seconds, however many there are. A refusal is
 * counted in constant time and memory: kinds and levels are words of the code.
 */
export class RefusalCounts<Refusal extends CountedRefusal = CountedRefusal> implements Disposable {
  readonly #tell: (refusal: Refusal, count: number) => void
  readonly #counts = new Map<string, Count<Refusal>>()
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `tell` is given the first refusal of its kind and how many there were. */
  constructor(tell: (refusal: Refusal, count: number) => void) {
    this.#tell = tell
  }

  readonly add = (refusal: Refusal): void => {
    const name = `${refusal.kind} ${refusal.level ?? ""}`
    const known = this.#counts.get(name)
    if (known === undefined) this.#counts.set(name, { refusal, count: 1 })
    else known.count++
    this.#timer ??= unrefed(setTimeout(() => this.#flush(), REFUSALS_EVERY_MILLISECONDS))
  };

  /** Tells what has not been told yet. */
  [Symbol.dispose](): void {
    this.#flush()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const counts = [...this.#counts.values()]
    this.#counts.clear()
    for (const { refusal, count } of counts) this.#tell(refusal, count)
  }
}

/** A process does not wait for it. Browsers have numbers for timers. */
function unrefed(timer: ReturnType<typeof setTimeout>): ReturnType<typeof setTimeout> {
  if (typeof timer === "object") timer.unref()
  return timer
}
