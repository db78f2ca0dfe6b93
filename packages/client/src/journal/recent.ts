/// <reference lib="esnext.disposable" preserve="true" />
import type { WholeEvent } from "../kinds/events.js"

/** Together they bound the memory: a payload has up to 64 KiB. */
const EVENTS_MAX = 1_000
const PAYLOAD_BYTES_MAX = 4 * 1024 * 1024

/** The latest events as they are stored, kept in memory while there are listeners; the oldest are dropped first. */
export class RecentEvents {
  readonly #events = new Map<number, WholeEvent>()
  #payloadBytes = 0
  #listeners = 0

  /** Events are kept until the last listener has been disposed of. */
  listen(): Disposable {
    this.#listeners++
    return {
      [Symbol.dispose]: () => {
        this.#listeners--
        if (this.#listeners === 0) this.clear()
      },
    }
  }

  get(number: number): WholeEvent | undefined {
    return this.#events.get(number)
  }

  /** By their numbers: events that a completed step has stored, also those that it has changed. */
  add(events: ReadonlyMap<number, WholeEvent>): void {
    if (this.#listeners === 0) return
    for (const [number, event] of events) {
      this.#drop(number)
      this.#events.set(number, event)
      this.#payloadBytes += payloadBytes(event)
    }
    for (const number of this.#events.keys()) {
      if (this.#events.size <= EVENTS_MAX && this.#payloadBytes <= PAYLOAD_BYTES_MAX) return
      this.#drop(number)
    }
  }

  /** Events up to this number have been acknowledged. */
  forget(number: number): void {
    for (const known of this.#events.keys()) if (known <= number) this.#drop(known)
  }

  clear(): void {
    this.#events.clear()
    this.#payloadBytes = 0
  }

  #drop(number: number): void {
    const event = this.#events.get(number)
    if (event === undefined) return
    this.#events.delete(number)
    this.#payloadBytes -= payloadBytes(event)
  }
}

function payloadBytes(event: WholeEvent): number {
  return event.type === "message" || event.type === "sent" ? event.payload.length : 0
}
