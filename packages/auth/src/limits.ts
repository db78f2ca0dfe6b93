import type { Rate } from "@conclave/transport"

export interface AuthenticationLimits {
  /** In bytes; default 16 KiB. */
  readonly requestSizeMax: number
  /** Of one name at a time; default 100. A name that has had four times as many gets one more a day. */
  readonly devicesPerNameMax: number
  /** New devices of all names together; default 20 a second, 1,000 at once. */
  readonly registrations: Rate
  /**
   * New devices that one requester brings, where the listener knows one; default 6 a minute, 100 at once. Its network may
   * bring four times as many, and at most three quarters of what there is for all.
   */
  readonly registrationsByRequester: Rate
  /** How often one name is exported; default 1 a minute, 20 at once. */
  readonly accounts: Rate
  /** How often the oldest device of one name without a recovery key asks to erase it; default 1 a minute, 20 at once. */
  readonly erasures: Rate
  /** Changes of one name's display name; default 1 a minute, 20 at once. */
  readonly displayNames: Rate
  /** Of one name, what is asked with its recovery key, and what gives it one; default 1 a minute, 20 at once. */
  readonly recoveries: Rate
}

export const defaultLimits: AuthenticationLimits = {
  requestSizeMax: 16 * 1024,
  devicesPerNameMax: 100,
  registrations: { perSecond: 20, burst: 1_000 },
  registrationsByRequester: { perSecond: 0.1, burst: 100 },
  accounts: { perSecond: 1 / 60, burst: 20 },
  erasures: { perSecond: 1 / 60, burst: 20 },
  displayNames: { perSecond: 1 / 60, burst: 20 },
  recoveries: { perSecond: 1 / 60, burst: 20 },
}

/** Four times of one requester's, at least as much, and room for another network where that is possible. */
export const networkShare = (ofRequester: number, ofAll: number) =>
  Math.max(ofRequester, Math.min(4 * ofRequester, 0.75 * ofAll))
