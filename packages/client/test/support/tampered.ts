import { type DeliveryRequest, deliveryRequests } from "@conclave/delivery/api"
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
