import { decode, encode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { type Handler, type RequestContext, type Transport, TransportError } from "@conclave/transport"
import type { Dice } from "../random.js"
import type { Timeline } from "../timeline.js"

type Accepted = Extract<DeliveryResponse, { readonly type: "accepted" }>
type Append = Extract<ReturnType<typeof deliveryRequests.decode>, { readonly type: "append" }>

export interface LineOptions {
  readonly name: string
  readonly handler: Handler
  readonly timeline: Timeline
  readonly dice: Dice
  /** Knocks do not arrive, and their makers are told that they have. */
  readonly hidesKnocks?: boolean
  readonly onAccepted?: (append: Append, accepted: Accepted) => void
}

/** Milliseconds that a request or an answer is on its way, at least and at most. */
const WAY = { least: 20, most: 80 }

/** A line that takes its time, and loses nothing; each device has an address of its own. */
export function line({ name, handler, timeline, dice, hidesKnocks = false, onAccepted }: LineOptions): Transport {
  const closed = new AbortController()
  const pause = () => timeline.pause(dice.between(WAY.least, WAY.most), name)
  const context = (signal: AbortSignal): RequestContext => ({ signal, early: false, peer: name, network: name })
  const requireOpen = (signal: AbortSignal | undefined) => {
    if (closed.signal.aborted || signal?.aborted) throw new TransportError("the line is closed", { retryable: true })
  }
  return {
    async request(body, { signal } = {}) {
      const copy = body.slice()
      await pause()
      requireOpen(signal)
      if (hidesKnocks && deliveryRequests.decode(copy).type === "knock")
        return encode(DeliveryResponse, { type: "done" })
      let answer: Uint8Array | undefined
      for await (const it of handler(copy, context(closed.signal))) {
        answer = it
        break
      }
      await pause()
      requireOpen(signal)
      if (answer === undefined) throw new TransportError("no answer", { retryable: true })
      if (onAccepted !== undefined) {
        const request = deliveryRequests.decode(copy)
        const response = request.type === "append" ? decode(DeliveryResponse, answer) : undefined
        if (request.type === "append" && response?.type === "accepted") onAccepted(request, response)
      }
      return answer.slice()
    },
    async *subscribe(body, { signal } = {}) {
      const gone = signal === undefined ? closed.signal : AbortSignal.any([signal, closed.signal])
      const copy = body.slice()
      await pause()
      requireOpen(signal)
      for await (const answer of handler(copy, context(gone))) {
        await pause()
        requireOpen(signal)
        yield answer.slice()
      }
    },
    async [Symbol.asyncDispose]() {
      closed.abort()
    },
  }
}
