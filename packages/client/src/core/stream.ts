import type { Shared } from "../conversation/context.js"
import type { GroupConversation } from "../conversation/facade.js"
import type { LocalConversation } from "../conversation/local.js"
import type { DeliveryAnswer } from "../service/delivery.js"
import { backoff, type Runner } from "./runner.js"

export interface StreamOptions {
  readonly shared: Shared
  readonly signal: AbortSignal
  readonly inbox: Runner
  readonly conversations: () => Iterable<GroupConversation>
  readonly find: (groupId: Uint8Array) => GroupConversation | undefined
  readonly onChange: () => void
}

/** More than this much of one log that nobody has taken yet is read in pages instead. */
const INCOMING_MAX = 1024

/** The service's stream: brings entries to the conversations, and comes back after each break where it stood. */
export class Stream {
  readonly #options: StreamOptions
  #session = new AbortController()
  #online = false
  #followed = ""
  readonly #done: Promise<void>

  constructor(options: StreamOptions) {
    this.#options = options
    options.signal.addEventListener("abort", () => this.#session.abort())
    this.#done = this.#follow()
  }

  get online(): boolean {
    return this.#online
  }

  /** Subscribes anew if there are other conversations to follow than before. */
  renew(): void {
    if (this.#followedIds() !== this.#followed) this.#session.abort()
  }

  /** Resolves when the stream has ended after its signal. */
  get done(): Promise<void> {
    return this.#done
  }

  async #follow(): Promise<void> {
    const { signal, shared } = this.#options
    for (let failures = 0; !signal.aborted; ) {
      this.#session = new AbortController()
      try {
        for await (const answer of this.#subscribe(this.#session.signal)) {
          failures = 0
          this.#setOnline(true)
          this.#take(answer)
        }
      } catch {
        // A stream that breaks says nothing about what has happened; the cursors do.
      }
      if (this.#session.signal.aborted) continue
      this.#setOnline(false)
      await this.#pause(backoff(failures++, shared.random))
    }
    this.#setOnline(false)
  }

  #subscribe(signal: AbortSignal): AsyncIterable<DeliveryAnswer> {
    const { shared } = this.#options
    this.#followed = this.#followedIds()
    const cursors = this.#following().map(({ id, state }) => ({ groupId: id, afterSeq: state.cursor }))
    return shared.delivery.subscribe(cursors, shared.steps.profile.inboxCursor, signal)
  }

  #followedIds(): string {
    return this.#following()
      .map(({ key }) => key)
      .join()
  }

  #following(): readonly LocalConversation[] {
    return [...this.#options.conversations()]
      .map(({ work }) => work.local)
      .filter(({ view }) => view.status === "active" || view.status === "leaving")
  }

  #take(answer: DeliveryAnswer): void {
    if (answer.type === "inboxEntries") {
      if (answer.entries.length > 0) this.#options.inbox.wake()
      return
    }
    if (answer.type !== "entries" && answer.type !== "notFound" && answer.type !== "belowRetention") return
    const conversation = this.#options.find(answer.groupId)
    if (conversation === undefined) return
    const { work } = conversation
    if (answer.type !== "entries" || work.incoming.length + answer.entries.length > INCOMING_MAX) {
      work.incoming.length = 0
      work.headSeq = undefined
    } else {
      work.incoming.push(...answer.entries)
      if (work.headSeq === undefined || work.headSeq < answer.headSeq) work.headSeq = answer.headSeq
    }
    conversation.runner.wake()
  }

  #setOnline(online: boolean): void {
    if (this.#online === online) return
    this.#online = online
    this.#options.onChange()
  }

  /** The pause of a stream that broke; a renewed subscription does not wait for it. */
  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#session
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener("abort", end)
        resolve()
      }
      const timer = setTimeout(end, milliseconds)
      signal.addEventListener("abort", end)
      if (signal.aborted) end()
    })
  }
}
