import { hex } from "../bytes.js"
import type { NewEvent, WholeEvent } from "../kinds/events.js"

/** An event that was written and that nobody has read yet. */
export interface UnreadEvent {
  readonly number: number
  readonly event: WholeEvent
}

/** More kinds than that are not kept in mind: their next event is one of its own. */
const UNREAD_MAX = 1_000

/**
 * The events that anybody can cause as often as they like, as long as nobody has read them: one for each
 * {@link repetitionKey}. So junk makes no profile grow, however long nobody looks at the events.
 */
export class UnreadEvents {
  readonly #unread = new Map<string, UnreadEvent>()
  #lastRead = 0

  find(key: string): UnreadEvent | undefined {
    return this.#unread.get(key)
  }

  keep(key: string, written: UnreadEvent): void {
    this.#unread.delete(key)
    // It was shown while the step that counted it was being written.
    if (this.isRead(written.number)) return
    const [oldest] = this.#unread.keys()
    if (this.#unread.size >= UNREAD_MAX && oldest !== undefined) this.#unread.delete(oldest)
    this.#unread.set(key, written)
  }

  isRead(number: number): boolean {
    return number <= this.#lastRead
  }

  /** Events up to this number are being shown to somebody: they change no more. */
  read(number: number): void {
    this.#lastRead = Math.max(this.#lastRead, number)
    for (const [key, unread] of [...this.#unread]) if (unread.number <= number) this.#unread.delete(key)
  }
}

/** The same for events that say the same, as far as that matters; `undefined` for events that are never one. */
export function repetitionKey(event: NewEvent): string | undefined {
  if (event.type === "rejected") {
    return `rejected ${event.conversation === undefined ? "" : hex(event.conversation)} ${event.code}`
  }
  if (event.type === "keyChanged" && event.conversation === undefined && !event.accepted) {
    return `keyChanged ${event.name} ${hex(event.signatureKey)}`
  }
  return undefined
}
