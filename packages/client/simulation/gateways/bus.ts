import { processWake, type Wake, type Watch } from "@conclave/delivery"
import type { Dice } from "../random.js"
import type { Timeline } from "../timeline.js"

/** Between two messages of one gateway: what is noted meanwhile shares the next. */
const PAUSE_MILLISECONDS = 5
const DELAY_MILLISECONDS_MAX = 60

/** Hints between gateways, which are lost, late, and told together. */
export class Bus {
  /** Until then every message is lost (milliseconds from the beginning). */
  lostUntil = 0
  readonly #timeline: Timeline
  readonly #dice: Dice
  readonly #wakes = new Set<BusWake>()

  constructor(timeline: Timeline, dice: Dice) {
    this.#timeline = timeline
    this.#dice = dice
  }

  get isLossy(): boolean {
    return this.#timeline.elapsed < this.lostUntil
  }

  join(): BusWake {
    const wake = new BusWake(this, this.#timeline)
    this.#wakes.add(wake)
    return wake
  }

  leave(wake: BusWake): void {
    this.#wakes.delete(wake)
  }

  passSignal(topic: string, body: Uint8Array): void {
    for (const wake of this.#wakes) {
      if (this.isLossy || this.#dice.chance(2)) continue
      this.#timeline.after(this.#dice.below(DELAY_MILLISECONDS_MAX), "a signal comes", () => {
        wake.receiveSignal(topic, body)
      })
    }
  }

  pass(from: BusWake, topics: ReadonlySet<string>): void {
    for (const wake of this.#wakes) {
      if (wake === from || this.isLossy || this.#dice.chance(2)) continue
      this.#timeline.after(this.#dice.below(DELAY_MILLISECONDS_MAX), "a hint comes", () => wake.receive(topics))
    }
  }
}

/** One gateway's part of the bus. */
export class BusWake implements Wake {
  readonly #bus: Bus
  readonly #timeline: Timeline
  readonly #here = processWake()
  #noted = new Set<string>()
  #isOver = false

  constructor(bus: Bus, timeline: Timeline) {
    this.#bus = bus
    this.#timeline = timeline
  }

  notify(topic: string): void {
    if (this.#isOver) return
    if (!this.#bus.isLossy) this.#here.notify(topic)
    if (this.#noted.add(topic).size === 1) {
      this.#timeline.after(PAUSE_MILLISECONDS, "hints leave", () => this.#send())
    }
  }

  notifyHere(topic: string): void {
    if (!this.#isOver) this.#here.notifyHere(topic)
  }

  notifyAllHere(): void {
    if (!this.#isOver) this.#here.notifyAllHere()
  }

  watch(topics: Iterable<string>, noted?: (topic: string) => void): Watch {
    return this.#here.watch(topics, noted)
  }

  watching(topic: string): number {
    return this.#here.watching(topic)
  }

  signal(topic: string, body: Uint8Array): void {
    if (!this.#isOver) this.#bus.passSignal(topic, body)
  }

  hear(topic: string, listener: (body: Uint8Array) => void): Disposable {
    return this.#here.hear(topic, listener)
  }

  /** At most once, and as lossy as hints. */
  receiveSignal(topic: string, body: Uint8Array): void {
    if (!this.#isOver) this.#here.signal(topic, body)
  }

  receive(topics: ReadonlySet<string>): void {
    for (const topic of topics) this.notifyHere(topic)
  }

  /** The gateway is gone, with all that it has noted. */
  end(): void {
    this.#isOver = true
    this.#bus.leave(this)
  }

  #send(): void {
    const noted = this.#noted
    this.#noted = new Set()
    if (!this.#isOver) this.#bus.pass(this, noted)
  }
}
