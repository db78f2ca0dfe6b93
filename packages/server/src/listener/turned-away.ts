import type { IncomingMessage } from "node:http"
import { type Rate, RateLimiter } from "@conclave/transport"
import { serializedOrigin } from "./origins.js"

/** Something that the operator's settings, or a proxy's, keep from the services: for the operator to be told. */
export interface TurnedAway {
  /**
   * - `origin`: a page of an origin that is not let in wanted a WebSocket, or to send a request
   * - `upgrade`: a WebSocket came without its `Upgrade` header, which a proxy does not pass on
   * - `host`: a request under a name that is not answered to
   */
  readonly reason: "origin" | "upgrade" | "host"
  /** Of the page: `https://chat.example.org`. `undefined` where no page says so. */
  readonly origin: string | undefined
  /** As it arrived, after what proxies made of it; at most 256 characters that can be shown. */
  readonly host: string | undefined
}

/** So many of each reason are remembered, the latest: their words come from whoever asks. */
const TOLD_MAX = 64
/** So many of each reason are told at once, and one a minute after that. */
const TELLING: Rate = { perSecond: 1 / 60, burst: TOLD_MAX }
const HOST_LENGTH_MAX = 256

/**
 * Tells of each reason, with each origin and host, once, until 64 others of that reason have been told since it was seen
 * last. Made-up ones hide none that comes later for good: while they keep coming, one is told each minute, whichever comes
 * first.
 */
export class TurnedAwayOnce {
  readonly #tell: (turnedAway: TurnedAway) => void
  readonly #now: () => number
  readonly #rate = new RateLimiter(TELLING)
  readonly #told = { origin: new Set<string>(), upgrade: new Set<string>(), host: new Set<string>() }

  /** `now`: milliseconds. */
  constructor(tell: (turnedAway: TurnedAway) => void, now = () => performance.now()) {
    this.#tell = tell
    this.#now = now
  }

  readonly add = (reason: TurnedAway["reason"], { headers }: Pick<IncomingMessage, "headers">): void => {
    const told = this.#told[reason]
    const origin = headers.origin === undefined ? undefined : serializedOrigin(headers.origin)
    const host = headers.host?.replace(/[^\x21-\x7e]/g, "?").slice(0, HOST_LENGTH_MAX)
    const key = JSON.stringify([origin, host])
    if (!told.delete(key)) {
      if (this.#rate.take(reason, this.#now()) !== undefined) return
      if (told.size >= TOLD_MAX) told.delete(told.values().next().value!)
      this.#tell({ reason, origin, host })
    }
    // The last of them: the first one is forgotten first.
    told.add(key)
  }
}
