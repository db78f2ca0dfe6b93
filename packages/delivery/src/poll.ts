import type { NewsMark, Store } from "./store/store.js"
import { groupTopic, inboxTopic } from "./topics.js"
import type { Wake } from "./wake.js"

/** Before the first of all. */
const NOTHING: NewsMark = []

interface PollOptions {
  readonly store: Store
  readonly wake: Wake
  readonly milliseconds: number
  readonly onError: (error: unknown) => void
}

/**
 * Looks for what no hint has told of: one look into the store for all subscriptions together, however many they are
 * and however many cursors they have, and none while there is no subscription.
 */
export class Poll {
  readonly #options: PollOptions
  #subscriptions = 0
  #mark: NewsMark | undefined
  #begun: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: PollOptions) {
    this.#options = options
  }

  /** Resolves when all is found that is written from then on: before a subscription reads for the first time. */
  get begun(): Promise<void> | undefined {
    return this.#begun
  }

  enter(): void {
    this.#subscriptions++
    if (this.#begun === undefined) {
      this.#begun = this.#begin()
      // A subscription that awaits it learns of it; one that is gone already does not.
      this.#begun.catch(() => {})
    }
    this.#timer ??= this.#later()
  }

  leave(): void {
    if (--this.#subscriptions > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#mark = undefined
    this.#begun = undefined
  }

  /** A store that is not available now is asked again: until then nothing is known to be old. */
  async #begin(): Promise<void> {
    try {
      this.#mark = (await this.#options.store.news(undefined)).mark
    } catch (error) {
      this.#begun = undefined
      throw error
    }
  }

  #later(): NodeJS.Timeout {
    const timer = setTimeout(() => this.#look(timer), this.#options.milliseconds)
    return timer
  }

  async #look(timer: NodeJS.Timeout): Promise<void> {
    const { store, wake, onError } = this.#options
    try {
      const { mark, groups, devices, everything } = await store.news(this.#mark ?? NOTHING)
      if (this.#timer === timer) this.#mark = mark
      if (everything) wake.notifyAllHere()
      for (const id of groups) wake.notifyHere(groupTopic(id))
      for (const id of devices) wake.notifyHere(inboxTopic(id))
    } catch (error) {
      onError(error)
    }
    if (this.#timer === timer) this.#timer = this.#later()
  }
}
