import { encode } from "@conclave/codec"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import type { RequestOptions, SubscribeOptions, Transport } from "@conclave/transport"

export const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 5_000; !condition(); await later(10)) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`)
  }
}

/** Counts the requests of one kind, and may answer them itself, beginning with the one of that number. */
export function counting(transport: Transport, kind: number, answer?: DeliveryResponse, from = 1) {
  let times = 0
  let refuses = answer !== undefined
  const matches = (body: Uint8Array) => {
    const [first, second] = body
    const isKind = (first! & 0x80 ? second : first) === kind
    if (isKind) times++
    return isKind && refuses && times >= from
  }
  const refusal = () => encode(DeliveryResponse, answer!)
  const wrapped: Transport = {
    ...transport,
    async request(body: Uint8Array, options?: RequestOptions) {
      return matches(body) ? refusal() : transport.request(body, options)
    },
    async *subscribe(body: Uint8Array, options?: SubscribeOptions) {
      if (matches(body)) yield refusal()
      else yield* transport.subscribe(body, options)
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
  return {
    transport: wrapped,
    times: () => times,
    allow: () => {
      refuses = false
    },
  }
}
