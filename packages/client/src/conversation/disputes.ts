import type { HeadClaim } from "@conclave/contracts/heads"
import type { Pause } from "./recovery.js"

/** What a member says of the log is not what this device has read. */
export interface Dispute {
  /** The member's name. */
  readonly by: string
  readonly claim: HeadClaim
}

/** What this device makes of heads, its own and others', since the opening. */
export class Disputes {
  /** Those that wait until the service has signed what this device has read. */
  waiting: Dispute[] = []
  /** The service has to be asked what it says of itself: a member knows more than this device. */
  wantsService = false
  /** When the service is asked again for its signature. */
  pause: Pause | undefined
  /** When (Unix time in milliseconds) the service said last that there is nothing after `seq`. */
  seen: { readonly seq: bigint; readonly at: number } | undefined
  /** Signature keys of members whose word has been reported, in hexadecimal; empty for the service's own. */
  readonly #told = new Set<string>()

  /** Whether it is news: each member is reported once. */
  isNews(who: string): boolean {
    if (this.#told.has(who)) return false
    this.#told.add(who)
    return true
  }
}
