import type { PendingMessage } from "../conversation.js"
import type { WishName } from "../kinds/wishes.js"
import type { Wish, WishOf } from "../records/records.js"
import { decodePayload, messageOf } from "./payload.js"

/** A wish with its number; of one conversation, 1, 2, 3, … */
export type Numbered<W = Wish> = readonly [number: number, wish: W]

/** What the application has asked for and is not done yet, in the order in which it asked. */
export class Wishes {
  readonly #all = new Map<number, Wish>()
  /** Messages whose ciphertext is stored: few, however many wait. */
  readonly #encrypted = new Set<number>()
  /** Since {@link settle} was called last. */
  readonly #changed = new Set<number>()
  readonly #shown = new Map<number, PendingMessage>()
  #pending: readonly PendingMessage[] | undefined = []

  /** Exchanges everything for what is stored, in the order of the numbers. */
  load(stored: readonly Numbered[]): void {
    for (const number of this.#all.keys()) this.#changed.add(number)
    this.#all.clear()
    this.#encrypted.clear()
    for (const [number, wish] of stored) this.set(number, wish)
  }

  get size(): number {
    return this.#all.size
  }

  get(number: number): Wish | undefined {
    return this.#all.get(number)
  }

  /** A wish that is new has a higher number than those before it. */
  set(number: number, wish: Wish): void {
    this.#all.set(number, wish)
    this.#changed.add(number)
    if (wish.type === "message" && wish.outgoing !== undefined) this.#encrypted.add(number)
    else this.#encrypted.delete(number)
  }

  delete(number: number): void {
    this.#all.delete(number)
    this.#encrypted.delete(number)
    this.#changed.add(number)
  }

  [Symbol.iterator](): MapIterator<[number, Wish]> {
    return this.#all[Symbol.iterator]()
  }

  /** Messages whose ciphertext is stored, by number; may be changed while it is read. */
  encrypted(): readonly Numbered<Extract<Wish, { type: "message" }>>[] {
    return [...this.#encrypted].flatMap((number) => {
      const wish = this.#all.get(number)
      return wish?.type === "message" ? [[number, wish] as const] : []
    })
  }

  /** Messages that have no place in the log yet, as of the last {@link settle}. The same array while they are the same. */
  get pending(): readonly PendingMessage[] {
    this.#pending ??= [...this.#shown].sort(([a], [b]) => a - b).map(([, message]) => message)
    return this.#pending
  }

  /** What is in memory is what is stored, and may be shown. */
  settle(): void {
    for (const number of this.#changed) {
      const wish = this.#all.get(number)
      if (wish?.type !== "message") {
        if (this.#shown.delete(number)) this.#pending = undefined
      } else if (!this.#shown.has(number)) {
        const message = messageOf(decodePayload(wish.payload))
        if (message === undefined) continue
        this.#shown.set(number, message)
        this.#pending = undefined
      }
    }
    this.#changed.clear()
  }
}

/** What a wish is called by the call that made it, and whom it is about. */
export function describeWish(wish: Wish): { readonly wish: WishName; readonly names: readonly string[] } {
  return { wish: wish.type === "message" ? callOf(wish) : wish.type, names: namesIn(wish) }
}

function callOf({ payload }: WishOf<"message">): WishName {
  return decodePayload(payload).body.type === "title" ? "title" : "send"
}

/** A title that is known already, said for newcomers. */
export function isAnnouncement(wish: Wish, title: string): boolean {
  if (wish.type !== "message") return false
  const { body } = decodePayload(wish.payload)
  return body.type === "title" && body.title === title
}

/** Whom a wish is about. */
export function namesIn(wish: Wish): readonly string[] {
  return "names" in wish ? wish.names : []
}
