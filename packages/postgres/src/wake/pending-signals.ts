import { FRAME_SIZE_MAX, SIGNAL_OVERHEAD, type SignalFrame } from "./frame.js"

type Signal = SignalFrame["signals"][number]

/** Version, sender and the length of the list. */
const HEADER_SIZE = 1 + 8 + 4
/** Of a signal that waits longer, nobody has any use. */
const WAIT_MILLISECONDS = 2_000

/** Signals that wait for the bus: what has no room is dropped, and so is what has waited too long. */
export class PendingSignals {
  readonly #sizeMax: number
  #waiting: { readonly signal: Signal; readonly at: number }[] = []
  #size = 0

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  get length(): number {
    return this.#waiting.length
  }

  /** Whether there was room. */
  add(signal: Signal): boolean {
    const size = sizeOf(signal)
    if (this.#size + size > this.#sizeMax) return false
    this.#size += size
    this.#waiting.push({ signal, at: performance.now() })
    return true
  }

  /** The oldest, as many as one frame holds. */
  take(): readonly Signal[] {
    const taken: Signal[] = []
    let [count, size] = [0, HEADER_SIZE]
    for (const { signal, at } of this.#waiting) {
      if (size + sizeOf(signal) > FRAME_SIZE_MAX) break
      size += sizeOf(signal)
      this.#size -= sizeOf(signal)
      count++
      if (performance.now() - at < WAIT_MILLISECONDS) taken.push(signal)
    }
    this.#waiting = this.#waiting.slice(count)
    return taken
  }

  clear(): void {
    this.#waiting = []
    this.#size = 0
  }
}

const sizeOf = ({ body }: Signal) => body.length + SIGNAL_OVERHEAD
