import { connect } from "@conclave/client/node"
import { type Listener, listen } from "@conclave/server"
import type { Transport } from "@conclave/transport"
import {
  type AuthRequest,
  type AuthResponse,
  answerAuth,
  answerDelivery,
  askAuth,
  askDelivery,
  type DeliveryRequest,
  type DeliveryResponse,
  readAuth,
  readDelivery,
} from "./contract.js"

/** How the service lies: an answer of its own, or `undefined` for the true one. */
export interface Lies {
  delivery?(
    request: DeliveryRequest,
    truth: (request: DeliveryRequest) => Promise<DeliveryResponse>,
  ): Promise<DeliveryResponse | undefined>
  auth?(request: AuthRequest, truth: (request: AuthRequest) => Promise<AuthResponse>): Promise<AuthResponse | undefined>
}

/** A lying service: the real one answers what it does not care about. To its clients it is a service like any other. */
export class Operator implements AsyncDisposable {
  readonly url: URL
  readonly #listener: Listener
  readonly #real: { readonly delivery: Transport; readonly auth: Transport }

  private constructor(listener: Listener, real: { readonly delivery: Transport; readonly auth: Transport }) {
    this.#listener = listener
    this.#real = real
    this.url = listener.url
  }

  static async start(service: URL, lies: Lies): Promise<Operator> {
    const real = connect(service)
    const ask = (name: "delivery" | "auth", body: Uint8Array) => real[name].request(body)
    const listener = await listen({
      host: "127.0.0.1",
      services: {
        async *delivery(bytes, { signal }) {
          const request = readDelivery(bytes)
          const answer = await lies.delivery?.(request, (it) => askDelivery(ask, it))
          if (answer !== undefined) yield answerDelivery(answer)
          else if (request.type === "subscribe") yield* real.delivery.subscribe(bytes, { signal })
          else yield await real.delivery.request(bytes)
        },
        async *auth(bytes) {
          const answer = await lies.auth?.(readAuth(bytes), (it) => askAuth(ask, it))
          yield answer === undefined ? await real.auth.request(bytes) : answerAuth(answer)
        },
      },
    })
    return new Operator(listener, real)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener.close()
    await Promise.allSettled([this.#real.delivery[Symbol.asyncDispose](), this.#real.auth[Symbol.asyncDispose]()])
  }
}
