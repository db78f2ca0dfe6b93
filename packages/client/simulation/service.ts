import * as authentication from "@conclave/auth"
import { encode } from "@conclave/codec"
import { AuthResponse } from "@conclave/contracts/auth"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import * as delivery from "@conclave/delivery"
import type { Handler, RequestContext } from "@conclave/transport"
import { Ledger, type LedgerOptions } from "./ledger.js"
import type { Timeline } from "./timeline.js"

export interface ServiceOptions extends LedgerOptions {
  /** What the services could not do, through no fault of a request. */
  readonly onError: (error: unknown) => void
}

const outOfOrder = { type: "unavailable", reason: "out of order", retryAfterMilliseconds: 1_000 } as const

/** Both services, the real ones, on stores in memory that are watched. */
export class Services {
  readonly delivery: Handler
  readonly auth: Handler
  /** Until then, hints that something has changed are lost (milliseconds from the beginning). */
  hintsLostUntil = 0
  readonly ledger: Ledger
  /** Until then, a service answers that it cannot (milliseconds from the beginning). */
  readonly outage = { auth: 0, delivery: 0 }
  readonly #timeline: Timeline

  constructor(options: ServiceOptions) {
    const { timeline, onError } = options
    this.#timeline = timeline
    const now = () => timeline.now
    const directory = authentication.memoryStore()
    // Of the provider, services use hashes and the verification of signatures.
    const crypto = options.invariants.provider
    this.ledger = new Ledger(options)
    const auth = authentication.authenticationService({ store: directory, crypto, now, onError })
    this.auth = this.#unlessOut("auth", auth, encode(AuthResponse, outOfOrder))
    const service = delivery.deliveryService({
      store: this.ledger,
      directory: authentication.directoryOf(directory),
      crypto,
      now,
      wake: this.#lossyWake(timeline),
      onError,
    })
    this.delivery = this.#unlessOut("delivery", service, encode(DeliveryResponse, outOfOrder))
  }

  #unlessOut(name: "auth" | "delivery", handler: Handler, answer: Uint8Array): Handler {
    return async function* (this: Services, request: Uint8Array, context: RequestContext) {
      if (this.#timeline.elapsed < this.outage[name]) yield answer
      else yield* handler(request, context)
    }.bind(this)
  }

  #lossyWake(timeline: Timeline): delivery.Wake {
    const wake = delivery.processWake()
    return {
      ...wake,
      notify: (topic) => {
        if (timeline.elapsed >= this.hintsLostUntil) wake.notify(topic)
      },
    }
  }
}
