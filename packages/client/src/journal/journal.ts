import { decode } from "@conclave/codec"
import { hex } from "../bytes.js"
import type { Conversation } from "../conversation.js"
import { ClientError } from "../errors.js"
import type { ClientEvent } from "../events.js"
import { type EventReference, StoredEvent, showEvent, type WholeEvent } from "../kinds/events.js"
import { recordKeys, StoredMessage } from "../records/records.js"
import type { SealedStore } from "../store/sealed.js"
import type { Transactions } from "./transactions.js"

/** `firstPlace`: what the places of its log are added to. */
export type FindConversation = (id: string) => (Conversation & { readonly firstPlace: number }) | undefined

/** The journal as it is stored. */
export async function openJournal(
  store: SealedStore,
  transactions: Transactions,
  find: FindConversation,
): Promise<Journal> {
  const [first] = await store.list(recordKeys.events, { limit: 1 })
  const oldest =
    first === undefined ? Number(transactions.profile.nextEvent) : Number(first[0].slice(recordKeys.events.length))
  return new Journal(store, transactions, { oldest, find })
}

/** The durable events of a profile: numbered without gaps, kept until acknowledged. */
export class Journal {
  readonly #store: SealedStore
  readonly #transactions: Transactions
  readonly #find: FindConversation
  #oldest: number
  #consumed = false

  /** `oldest` is the number of the oldest event that is kept. */
  constructor(store: SealedStore, transactions: Transactions, options: { oldest: number; find: FindConversation }) {
    this.#store = store
    this.#transactions = transactions
    this.#oldest = options.oldest
    this.#find = options.find
  }

  events(options: { signal: AbortSignal; peek: boolean }): AsyncIterable<ClientEvent> {
    if (options.peek) return this.#read(options.signal)
    return this.#consume(options.signal)
  }

  async acknowledge(number: number): Promise<void> {
    if (number !== Math.floor(number)) throw new TypeError(`${number} is not the number of an event`)
    await this.#transactions.run(undefined, (transaction) => {
      const last = Math.min(number, Number(this.#transactions.profile.nextEvent) - 1)
      // At once: what is written together with this must not be counted in an event that is deleted.
      this.#transactions.unread.read(last)
      for (let n = this.#oldest; n <= last; n++) transaction.acknowledge(n)
      transaction.after(() => {
        this.#transactions.recent.forget(last)
        this.#oldest = Math.max(this.#oldest, last + 1)
      })
    })
  }

  async *#consume(signal: AbortSignal): AsyncGenerator<ClientEvent> {
    if (this.#consumed) throw new TypeError("another loop consumes the events; look on with { peek: true }")
    this.#consumed = true
    try {
      for await (const event of this.#read(signal, (number) => this.#transactions.unread.read(number))) {
        yield event
        try {
          await this.acknowledge(event.number)
        } catch (error) {
          // Closed while the loop's body ran: the loop ends, and the event is seen again.
          if (error instanceof ClientError && error.code === "CLOSED") return
          throw error
        }
      }
    } finally {
      this.#consumed = false
    }
  }

  /** `reading` is told of each event before it is read. */
  async *#read(signal: AbortSignal, reading: (number: number) => void = () => {}): AsyncGenerator<ClientEvent> {
    using _listening = this.#transactions.recent.listen()
    for (let next = this.#oldest; ; ) {
      next = Math.max(next, this.#oldest)
      if (signal.aborted) return
      if (next >= Number(this.#transactions.profile.nextEvent)) {
        await this.#changed(signal)
        continue
      }
      reading(next)
      const event = await this.#event(next)
      if (event !== undefined) yield event
      next++
    }
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        stop()
        signal.removeEventListener("abort", done)
        resolve()
      }
      const stop = this.#transactions.observe(done)
      signal.addEventListener("abort", done, { once: true })
      if (signal.aborted) done()
    })
  }

  /** Resolves with `undefined` for an event of a conversation or a message that has been forgotten. */
  async #event(number: number): Promise<ClientEvent | undefined> {
    const stored = this.#transactions.recent.get(number) ?? (await this.#stored(number))
    const event = stored && showEvent(stored, (id) => this.#find(hex(id)))
    if (event === undefined || !("seq" in event) || event.seq === undefined) return event && { ...event, number }
    return { ...event, seq: (this.#find(event.conversation.id)?.firstPlace ?? 0) + event.seq, number }
  }

  async #stored(number: number): Promise<Exclude<StoredEvent, EventReference> | undefined> {
    const record = await this.#store.get(recordKeys.event(number))
    const stored = record && decode(StoredEvent, record)
    return stored?.type === "keptMessage" ? this.#referred(stored) : stored
  }

  async #referred({ conversation, seq }: EventReference): Promise<WholeEvent | undefined> {
    const record = await this.#store.get(recordKeys.message(hex(conversation), Number(seq)))
    if (record === undefined) return undefined
    const { own, from, payload } = decode(StoredMessage, record)
    const place = { conversation, seq, payload }
    return own ? { type: "sent", ...place } : { type: "message", from, ...place }
  }
}
