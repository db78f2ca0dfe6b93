import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
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
 * Both services in a process of their own: what they do holds up no turn of the event loop of the clients, and is not
 * counted among what those take of the processor. Subscriptions are not carried.
 */
export class Services {
  readonly #child = fork(fileURLToPath(new URL("./service-child.js", import.meta.url)), { serialization: "advanced" })
  readonly #waiting = new Map<number, (body: Uint8Array | undefined) => void>()
  #asked = 0

  constructor() {
    this.#child.on("message", ({ id, body }: Answer) => {
      this.#waiting.get(id)?.(body)
      this.#waiting.delete(id)
    })
    this.#child.once("exit", (code) => {
      if (code !== 0) throw new Error(`the services have ended with ${code}`)
    })
  }

  transport(service: ServiceName): Transport {
    return {
      request: async (body) => {
        const id = this.#asked++
        const answer = new Promise<Uint8Array | undefined>((resolve) => this.#waiting.set(id, resolve))
        const asked: Asked = { id, service, body }
        this.#child.send(asked)
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
    const ended = once(this.#child, "exit")
    this.#child.send("close")
    await ended
  }
}
