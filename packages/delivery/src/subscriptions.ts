import type { Cursor } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { type Requester, Share } from "@conclave/transport"
import { keyOf } from "./access.js"
import type { Asking } from "./admission.js"
import type { DeliveryLimits } from "./limits.js"
import { Poll } from "./poll.js"
import { networkShare } from "./rates.js"
import type { RefusalKind } from "./refusals.js"
import { Heard, Signals } from "./signals.js"
import type { Refused, Standing, Store } from "./store/store.js"
import {
  type Answer,
  extendPosition,
  positionsOf,
  type SubscriptionOptions,
  subscription,
  Turns,
} from "./subscription.js"
import { type TailFigures, Tails } from "./tails.js"
import { groupTopic, signalsTopic } from "./topics.js"
import type { Wake } from "./wake.js"

interface SubscriptionsOptions {
  readonly store: Store
  readonly wake: Wake
  readonly crypto: CryptoProvider
  readonly limits: DeliveryLimits
  readonly now: () => number
  readonly onError: (error: unknown) => void
  readonly onRefusal: (kind: RefusalKind) => void
  readonly onAccessRefusal: (refusal: Refused, asking: Asking) => void
}

interface Wanted extends Pick<SubscriptionOptions, "identity" | "passes" | "judge" | "signal" | "cursors"> {
  readonly inbox: { readonly deviceId: Uint8Array; readonly after: bigint } | undefined
}

/** What a service follows for others just now. */
export interface DeliveryFigures {
  readonly subscriptions: number
  readonly subscriptionsMax: number
  /** Logs that all subscriptions together follow. */
  readonly cursors: number
  readonly cursorsMax: number
  readonly tails: TailFigures
}

/** All subscriptions of a service: how many each requester may have, and the one poll that they share. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  readonly #poll: Poll
  readonly #subscriptions: Share
  readonly #cursors: Share
  readonly #turns = new Turns()
  readonly #tails: Tails
  readonly #page: SubscriptionOptions["page"]
  /** What each follows, by its id. */
  readonly #open = new Map<string, Heard>()
  readonly #signals: Signals

  constructor(options: SubscriptionsOptions) {
    const { limits, store, wake, onError } = options
    this.#page = { limit: limits.pageEntriesMax, sizeMax: limits.pageSizeMax }
    this.#tails = new Tails({ store, wake, page: this.#page })
    this.#options = options
    this.#signals = new Signals({ store, wake, onError, onDropped: () => options.onRefusal("signalsDropped") })
    this.#poll = new Poll({ store, wake, onError, milliseconds: limits.pollMilliseconds })
    this.#subscriptions = shareOf(limits.subscriptionsByRequesterMax, limits.subscriptionsMax)
    this.#cursors = shareOf(limits.cursorsByRequesterMax, limits.cursorsMax)
  }

  get figures(): DeliveryFigures {
    return {
      subscriptions: this.#subscriptions.held,
      subscriptionsMax: this.#subscriptions.limits.all,
      cursors: this.#cursors.held,
      cursorsMax: this.#cursors.limits.all,
      tails: this.#tails.figures,
    }
  }

  /** Begins with the subscription's id; ends with `throttled` where there is no room. */
  async *open(asking: Asking, wanted: Wanted): AsyncGenerator<Answer> {
    const { store, wake, crypto, now, onAccessRefusal } = this.#options
    const { requester } = asking
    const { cursors, inbox, ...parts } = wanted
    const count = cursors.length
    const taken = this.#take(requester, count)
    if (taken !== undefined) {
      this.#options.onRefusal(taken)
      yield { type: "throttled", retryAfterMilliseconds: RETRY_MILLISECONDS }
      return
    }
    const held = { cursors: count }
    const id = crypto.random(ID_SIZE)
    const positions = positionsOf(cursors, inbox)
    const heard = new Heard(signalsTopic(id), positions)
    const onDropped = (topic: string) => {
      this.#signals.leaveLog(heard, topic)
      if (held.cursors === 0) return
      held.cursors--
      this.#cursors.give(requester)
    }
    this.#open.set(nameOf(id), heard)
    using _place = this.#placeUntil(wanted.signal, requester, { held, id })
    await this.#poll.begun
    yield { type: "subscribed", subscription: id }
    const shared = {
      store,
      wake,
      tails: this.#tails,
      page: this.#page,
      now,
      turns: this.#turns,
      onDropped,
      onAccessRefusal,
    }
    yield* subscription({ ...parts, ...shared, positions, cursors, asking, heard })
  }

  /** Whether there is such a subscription. */
  hear(id: Uint8Array): boolean {
    const heard = this.#open.get(nameOf(id))
    if (heard !== undefined) this.#signals.enter(heard)
    return heard !== undefined
  }

  /** Whether there is such a subscription, with the group of the cursor. */
  extend(id: Uint8Array, { groupId, access }: Cursor, standing: Standing): boolean {
    const topic = groupTopic(groupId)
    const position = this.#open.get(nameOf(id))?.positions.get(topic)
    if (typeof position !== "object") return false
    if (extendPosition(position, keyOf(access), standing)) this.#options.wake.notifyHere(topic)
    return true
  }

  /** Given back at the end, or as soon as the asker is gone: what it did not take of the stream stays where it is. */
  #placeUntil(
    signal: AbortSignal,
    requester: Requester | undefined,
    { held, id }: { readonly held: { cursors: number }; readonly id: Uint8Array },
  ): Disposable {
    let isHeld = true
    const give = () => {
      if (!isHeld) return
      isHeld = false
      signal.removeEventListener("abort", give)
      const heard = this.#open.get(nameOf(id))
      if (heard !== undefined) this.#signals.leave(heard)
      this.#open.delete(nameOf(id))
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
/** Whoever knows it can only let the subscription see more of what it may see. */
const ID_SIZE = 16
const nameOf = (id: Uint8Array) => Buffer.from(id).toString("latin1")

const shareOf = (ofRequester: number, ofAll: number) =>
  new Share({ peer: ofRequester, network: networkShare(ofRequester, ofAll), all: ofAll })
