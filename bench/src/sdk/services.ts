import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { type Transport, TransportError } from "@conclave/transport"

export type ServiceName = "delivery" | "auth"

export interface Asked {
  readonly id: number
  readonly service: ServiceName
  readonly body: Uint8Array
}

export interface Answer {
  readonly id: number
  /** Absent where the service ended without one. */
  readonly body: Uint8Array | undefined
}

/**
 * Both services on a thread of their own, as they would be in a process of their own: what they do holds up no turn of
 * the event loop of the clients. Subscriptions are not carried.
 */
export class Services {
  readonly #thread = new Worker(new URL("./service-thread.js", import.meta.url))
  readonly #waiting = new Map<number, (body: Uint8Array | undefined) => void>()
  #asked = 0

  constructor() {
    this.#thread.on("message", ({ id, body }: Answer) => {
      this.#waiting.get(id)?.(body)
      this.#waiting.delete(id)
    })
    this.#thread.on("error", (error) => {
      throw error
    })
  }

  transport(service: ServiceName): Transport {
    return {
      request: async (body) => {
        const id = this.#asked++
        const answer = new Promise<Uint8Array | undefined>((resolve) => this.#waiting.set(id, resolve))
        const asked: Asked = { id, service, body }
        this.#thread.postMessage(asked)
        const answered = await answer
        if (answered === undefined) throw new TransportError("the service ended without an answer", { retryable: true })
        return answered
      },
      subscribe() {
        throw new TypeError("nothing is subscribed to here")
      },
      async [Symbol.asyncDispose]() {},
    }
  }

  async close(): Promise<void> {
    this.#thread.postMessage("close")
    await once(this.#thread, "exit")
  }
}
