import type { RequestOptions, SubscribeOptions, Transport } from "@conclave/transport"
import { TransportError } from "@conclave/transport"
import type { ListOptions, Store, StoreChanges } from "../../src/index.js"

/**
 * The power supply of one process. Every transaction and every request passes two points, before and after it has
 * happened; at the point that was chosen the power fails, and nothing that the process does from then on has any effect.
 */
export class Power {
  /** Points passed so far. */
  passed = 0
  readonly failure: Promise<void>
  #off = false
  #fail = () => {}
  readonly #failsAt: number

  /** 0 is the first point; infinity never comes. */
  constructor(failsAt: number) {
    this.#failsAt = failsAt
    this.failure = new Promise((resolve) => {
      this.#fail = resolve
    })
  }

  get off(): boolean {
    return this.#off
  }

  point(): void {
    this.requireOn()
    if (this.passed++ === this.#failsAt) {
      this.#off = true
      this.#fail()
    }
    this.requireOn()
  }

  requireOn(): void {
    if (this.#off) throw new Error("the power is off")
  }
}

export function storeOn(power: Power, store: Store): Store {
  return {
    lost: store.lost,
    async get(key: string) {
      power.requireOn()
      return store.get(key)
    },
    async list(prefix: string, options?: ListOptions) {
      power.requireOn()
      return store.list(prefix, options)
    },
    async transaction(changes: StoreChanges) {
      power.point()
      await store.transaction(changes)
      power.point()
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** `sent` sees each request that leaves the process, also one whose answer never arrives. */
export function transportOn(
  power: Power,
  transport: Transport,
  sent: (body: Uint8Array) => void = () => {},
): Transport {
  const cut = (error: unknown) => new TransportError("the line is dead", { retryable: true, cause: error })
  return {
    async request(body: Uint8Array, options?: RequestOptions) {
      try {
        power.point()
        sent(body.slice())
        const answer = await transport.request(body, options)
        power.point()
        return answer
      } catch (error) {
        throw cut(error)
      }
    },
    subscribe: (body: Uint8Array, options?: SubscribeOptions) => transport.subscribe(body, options),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}
