import { decode } from "@conclave/codec"
import { decodePayload, messageOf } from "../conversation/payload.js"
import type { Conversation } from "../conversation.js"
import type { ClientEvent, ClientEventBody } from "../events.js"
import { hex, type SealedStore } from "../store/sealed.js"
import { recordKeys, StoredEvent } from "./records.js"
import type { Steps } from "./steps.js"

export type FindConversation = (id: string) => Conversation | undefined

/** The durable events of a profile: numbered without gaps, kept until acknowledged. */
export class Journal {
  readonly #store: SealedStore
  readonly #steps: Steps
  readonly #find: FindConversation
  #oldest: number
  #consumed = false

  /** `oldest` is the number of the oldest event that is kept. */
  constructor(store: SealedStore, steps: Steps, options: { oldest: number; find: FindConversation }) {
    this.#store = store
    this.#steps = steps
    this.#oldest = options.oldest
    this.#find = options.find
  }

  events(options: { signal: AbortSignal; peek: boolean }): AsyncIterable<ClientEvent> {
    if (options.peek) return this.#read(options.signal)
    return this.#consume(options.signal)
  }

  async acknowledge(number: number): Promise<void> {
    await this.#steps.run(undefined, (step) => {
      const last = Math.min(number, Number(this.#steps.profile.nextEvent) - 1)
      for (let n = this.#oldest; n <= last; n++) step.delete(recordKeys.event(n))
      step.after(() => {
        this.#steps.unread.read(last)
        this.#oldest = Math.max(this.#oldest, last + 1)
      })
    })
  }

  async *#consume(signal: AbortSignal): AsyncGenerator<ClientEvent> {
    if (this.#consumed) throw new TypeError("another loop consumes the events; look on with { peek: true }")
    this.#consumed = true
    try {
      for await (const event of this.#read(signal, (number) => this.#steps.unread.read(number))) {
        yield event
        await this.acknowledge(event.number)
      }
    } finally {
      this.#consumed = false
    }
  }

  /** `reading` is told of each event before it is read. */
  async *#read(signal: AbortSignal, reading: (number: number) => void = () => {}): AsyncGenerator<ClientEvent> {
    for (let next = this.#oldest; ; ) {
      next = Math.max(next, this.#oldest)
      if (signal.aborted) return
      if (next >= Number(this.#steps.profile.nextEvent)) {
        await this.#changed(signal)
        continue
      }
      reading(next)
      const record = await this.#store.get(recordKeys.event(next))
      const event = record === undefined ? undefined : this.#decode(record)
      if (event !== undefined) yield { ...event, number: next }
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
      const stop = this.#steps.observe(done)
      signal.addEventListener("abort", done, { once: true })
      if (signal.aborted) done()
    })
  }

  /** `undefined` for an event of a conversation that has been forgotten: an invitation that was declined. */
  #decode(record: Uint8Array): ClientEventBody | undefined {
    const { conversation: id, ...stored } = decode(StoredEvent, record)
    const conversation = id === undefined ? undefined : this.#find(hex(id))
    if (id !== undefined && conversation === undefined) return undefined
    if (stored.type === "throttled" || stored.type === "deferred") {
      return { ...stored, conversation, retryAt: new Date(Number(stored.retryAt)) } as ClientEventBody
    }
    if (!("payload" in stored)) return { ...stored, conversation } as ClientEventBody
    const { payload, type: kind, ...rest } = stored
    const type = kind === "message" || kind === "messageWithoutSeq" ? "message" : "sent"
    const seq = "seq" in stored ? Number(stored.seq) : undefined
    return { ...rest, type, seq, conversation, ...messageOf(decodePayload(payload)) } as ClientEventBody
  }
}
