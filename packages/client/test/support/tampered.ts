import { decode, encode } from "@conclave/codec"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { Transport } from "@conclave/transport"

/** What the service answers. */
export type Pass = () => Promise<Uint8Array>

/** A way to the Delivery Service on which somebody sits. */
export function tampered(
  transport: Transport,
  tamper: (request: DeliveryRequest, pass: Pass) => Promise<Uint8Array>,
): Transport {
  return {
    request: (body, options) => tamper(deliveryRequests.decode(body), () => transport.request(body, options)),
    subscribe: (body, options) => transport.subscribe(body, options),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}

/** The same for answers; requests to commit that are dropped never reach the service. */
export function answered(
  transport: Transport,
  tamper: (request: DeliveryRequest, answer: DeliveryResponse) => DeliveryResponse,
  isDropped: (request: DeliveryRequest) => boolean = () => false,
): Transport {
  return {
    request: async (body, options) => {
      const request = deliveryRequests.decode(body)
      const isCommit = request.type === "append" && request.kind === "commit"
      const nothing: DeliveryResponse = { type: "unavailable", reason: "never asked", retryAfterMilliseconds: 0 }
      const answer =
        isCommit && isDropped(request) ? nothing : decode(DeliveryResponse, await transport.request(body, options))
      return encode(DeliveryResponse, tamper(request, answer))
    },
    subscribe: (body, options) => transport.subscribe(body, options),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}
