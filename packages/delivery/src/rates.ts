import { type Rate, RateLimiter } from "@conclave/transport"
import { groupTopic, inboxTopic } from "./subscription.js"

/** How much is taken of whom. A requester is a `RequestContext.peer`: what no listener knows has no limit of its own. */
export interface DeliveryRates {
  /** Appends of one group; default 200 a second, 2,000 at once. */
  readonly appends: Rate
  /** New groups of all creators together; default 50 a second, 2,000 at once. */
  readonly creations: Rate
  /** New groups of one requester; default 1 a second, 100 at once. */
  readonly creationsByRequester: Rate
  /**
   * Claims of single-use key packages of one device; more get its last resort. Default 1 in 5 seconds, 15 at once: a
   * client keeps 20, and fills them up when it is told that they run low.
   */
  readonly claims: Rate
  /** Those of them that are one requester's; default 1 an hour, 5 at once. */
  readonly claimsOfDeviceByRequester: Rate
  /** Claims by one requester, of whatever devices; default 1 a second, 1,000 at once. */
  readonly claimsByRequester: Rate
}

export const defaultRates: DeliveryRates = {
  appends: { perSecond: 200, burst: 2_000 },
  creations: { perSecond: 50, burst: 2_000 },
  creationsByRequester: { perSecond: 1, burst: 100 },
  claims: { perSecond: 0.2, burst: 15 },
  claimsOfDeviceByRequester: { perSecond: 1 / 3600, burst: 5 },
  claimsByRequester: { perSecond: 1, burst: 1_000 },
}

/** Milliseconds until a request may come again, or `undefined` where it may pass. */
export type Wait = number | undefined

/** The rates, kept; the memory is bounded whoever asks for whatever ({@link RateLimiter}; keys are short). */
export class Rates {
  readonly #limiters: Readonly<Record<keyof DeliveryRates, RateLimiter>>

  constructor(rates: DeliveryRates) {
    this.#limiters = {
      appends: new RateLimiter(rates.appends),
      creations: new RateLimiter(rates.creations),
      creationsByRequester: new RateLimiter(rates.creationsByRequester),
      claims: new RateLimiter(rates.claims),
      claimsOfDeviceByRequester: new RateLimiter(rates.claimsOfDeviceByRequester),
      claimsByRequester: new RateLimiter(rates.claimsByRequester),
    }
  }

  append(groupId: Uint8Array, now: number): Wait {
    return this.#limiters.appends.take(groupTopic(groupId), now)
  }

  creation(peer: string | undefined, now: number): Wait {
    return this.#ofRequester("creationsByRequester", peer, now) ?? this.#limiters.creations.take("all", now)
  }

  claim(peer: string | undefined, now: number): Wait {
    return this.#ofRequester("claimsByRequester", peer, now)
  }

  /** For a single-use key package: who has had enough of them takes nothing away from the others. */
  singleUse(deviceId: Uint8Array, peer: string | undefined, now: number): Wait {
    const device = inboxTopic(deviceId)
    const ofDevice = peer === undefined ? undefined : `${device} ${peer}`
    return this.#ofRequester("claimsOfDeviceByRequester", ofDevice, now) ?? this.#limiters.claims.take(device, now)
  }

  #ofRequester(rate: keyof DeliveryRates, key: string | undefined, now: number): Wait {
    return key === undefined ? undefined : this.#limiters[rate].take(key, now)
  }
}
