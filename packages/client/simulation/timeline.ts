import type { Timers } from "../src/timers.js"

/** Something that is going to happen. */
interface Due {
  readonly at: number
  readonly order: number
  readonly what: string
  readonly run: () => void
  isDropped: boolean
}

/**
 * Virtual time: a queue of events, each at a time of its own, those of the same time in the order in which they were
 * entered. Time passes when the next event is taken, and not otherwise.
 */
export class Timeline {
  /** Unix time in milliseconds. */
  now: number
  readonly #begun: number
  /** A binary heap: the earliest first. */
  readonly #heap: Due[] = []
  #order = 0

  constructor(now: number) {
    this.now = now
    this.#begun = now
  }

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.now - this.#begun
  }

  /** Enters an event; returns what takes it out again. */
  after(milliseconds: number, what: string, run: () => void): () => void {
    const at = this.now + Math.max(0, Math.ceil(milliseconds))
    const due = { at, order: this.#order++, what, run, isDropped: false }
    this.#push(due)
    return () => {
      due.isDropped = true
    }
  }

  /** Resolves after a while. */
  pause(milliseconds: number, what: string): Promise<void> {
    return new Promise((resolve) => {
      this.after(milliseconds, what, resolve)
    })
  }

  /** Takes the next event, and makes it happen; `undefined` where there is none up to `until`. */
  next(until: number): string | undefined {
    while (this.#heap[0]?.isDropped) this.#pop()
    const first = this.#heap[0]
    if (first === undefined || first.at > until) return undefined
    this.#pop()
    this.now = first.at
    first.run()
    return first.what
  }

  /** For one process: what it waits for ends with `signal`. */
  timers(what: string, signal: AbortSignal): Timers {
    return {
      after: (milliseconds, callback) =>
        signal.aborted ? () => {} : this.after(milliseconds, what, () => signal.aborted || callback()),
      elapsed: () => this.elapsed,
    }
  }

  #push(due: Due): void {
    const heap = this.#heap
    let at = heap.push(due) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(due, heap[above]!)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = due
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (!isBefore(heap[below]!, last)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
  }
}

const isBefore = (a: Due, b: Due) => a.at < b.at || (a.at === b.at && a.order < b.order)
