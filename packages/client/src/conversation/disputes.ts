import type { HeadClaim } from "@conclave/contracts/heads"
import type { Pause } from "./recovery.js"

/** What a member says of the log is not what this device has read. */
export interface Dispute {
  /** As it has been news: see {@link Disputes.isNews}. */
  readonly who: string
  /** The member's name. */
  readonly by: string
  readonly claim: HeadClaim
}

const ASKED = { most: 4, milliseconds: 10_000 }

/** What this device makes of heads, its own and others', since the opening. */
export class Disputes {
  /** Those that wait until the service has signed what this device has read. */
  waiting: Dispute[] = []
  /** The service has to be asked what it says of itself: a member knows more than this device. */
  wantsService = false
  /** A member's word, signed by the service, for a later incarnation than it says that it has; since when (Unix time in milliseconds). */
  later: (Dispute & { readonly since: number }) | undefined
  /** When the service is asked again for its signature. */
  pause: Pause | undefined
  /** How often, since when (Unix time in milliseconds), the service was asked what it says of itself because of what it answered. */
  #asked = { since: Number.NEGATIVE_INFINITY, times: 0 }
  /** When (Unix time in milliseconds) the service said last that there is nothing after `seq`. */
  seen: { readonly seq: bigint; readonly at: number } | undefined
  /** Signature keys of members whose word has been reported, signed by the service or not, in hexadecimal; empty for its own. */
  readonly #told = new Set<string>()

  /** Whether to ask the service what it says of itself: it can give a reason for that with each answer. */
  mayAsk(now: number): boolean {
    if (now < this.#asked.since || now - this.#asked.since >= ASKED.milliseconds) this.#asked = { since: now, times: 0 }
    return this.#asked.times++ < ASKED.most
  }

  /** Whether it is news: each member is reported once. */
  isNews(who: string): boolean {
    if (this.#told.has(who)) return false
    this.#told.add(who)
    return true
  }

  /** It was nothing. */
  forget(who: string): void {
    this.#told.delete(who)
  }
}
