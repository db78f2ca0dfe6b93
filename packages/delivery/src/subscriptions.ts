import type { DeliveryResponse } from "@conclave/contracts/delivery"
import { type Requester, Share } from "@conclave/transport"
import type { DeliveryLimits } from "./limits.js"
import { Poll } from "./poll.js"
import { networkShare } from "./rates.js"
import type { RefusalKind } from "./refusals.js"
import type { Store } from "./store/store.js"
import { type SubscriptionOptions, subscription, Turns } from "./subscription.js"
import type { Wake } from "./wake.js"

interface SubscriptionsOptions {
  readonly store: Store
  readonly wake: Wake
  readonly limits: DeliveryLimits
  readonly onError: (error: unknown) => void
  readonly onRefusal: (kind: RefusalKind) => void
}

/** All subscriptions of a service: how many each requester may have, and the one poll that they share. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  readonly #poll: Poll
  readonly #subscriptions: Share
  readonly #cursors: Share
  readonly #turns = new Turns()

  constructor(options: SubscriptionsOptions) {
    const { limits, store, wake, onError } = options
    this.#options = options
    this.#poll = new Poll({ store, wake, onError, milliseconds: limits.pollMilliseconds })
    this.#subscriptions = shareOf(limits.subscriptionsByRequesterMax, limits.subscriptionsMax)
    this.#cursors = shareOf(limits.cursorsByRequesterMax, limits.cursorsMax)
  }

  /** Ends with `throttled` where there is no room. */
  async *open(
    requester: Requester | undefined,
    wanted: Pick<SubscriptionOptions, "cursors" | "inbox" | "signal">,
  ): AsyncGenerator<DeliveryResponse> {
    const { limits, store, wake } = this.#options
    const taken = this.#take(requester, wanted.cursors.length)
    if (taken !== undefined) {
      this.#options.onRefusal(taken)
      yield { type: "throttled", retryAfterMilliseconds: RETRY_MILLISECONDS }
      return
    }
    const held = { cursors: wanted.cursors.length }
    const onDropped = () => {
      if (held.cursors === 0) return
      held.cursors--
      this.#cursors.give(requester)
    }
    const page = { limit: limits.pageEntriesMax, sizeMax: limits.pageSizeMax }
    using _place = this.#placeUntil(wanted.signal, requester, held)
    await this.#poll.begun
    yield* subscription({ ...wanted, store, wake, page, turns: this.#turns, onDropped })
  }

  /** Given back at the end, or as soon as the asker is gone: what it did not take of the stream stays where it is. */
  #placeUntil(signal: AbortSignal, requester: Requester | undefined, held: { cursors: number }): Disposable {
    let isHeld = true
    const give = () => {
      if (!isHeld) return
      isHeld = false
      signal.removeEventListener("abort", give)
      this.#poll.leave()
      this.#subscriptions.give(requester)
      this.#cursors.give(requester, held.cursors)
      held.cursors = 0
    }
    this.#poll.enter()
    signal.addEventListener("abort", give)
    if (signal.aborted) give()
    return { [Symbol.dispose]: give }
  }

  /** What has no room, if anything: then nothing is taken. */
  #take(requester: Requester | undefined, cursors: number): "subscriptions" | "cursors" | undefined {
    if (this.#subscriptions.take(requester) !== undefined) return "subscriptions"
    if (this.#cursors.take(requester, cursors) === undefined) return undefined
    this.#subscriptions.give(requester)
    return "cursors"
  }
}

const RETRY_MILLISECONDS = 5_000

const shareOf = (ofRequester: number, ofAll: number) =>
  new Share({ peer: ofRequester, network: networkShare(ofRequester, ofAll), all: ofAll })
