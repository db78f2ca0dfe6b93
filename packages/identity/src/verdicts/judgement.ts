import type { Verdict } from "@conclave/mls"
import type { Pin } from "./pins.js"

/** A key that speaks for a name and was not pinned for it. */
export interface KeyChange {
  readonly name: string
  readonly signatureKey: Uint8Array
  /** A chain of endorsements, each verified, leads from a pinned key to this one. */
  readonly endorsed: boolean
  readonly accepted: boolean
  /** The name's recovery key has endorsed it. */
  readonly recovered?: boolean
}

/** A claim that was not accepted. */
export interface RefusedClaim {
  /** `?` where the credential has no well-formed name. */
  readonly name: string
  /** In words, for a person. */
  readonly reason: string
  /** The directory lists the key for the name, and it is another one than those that are known. */
  readonly keyChanged: boolean
}

/** What {@link judge} says about claims, and what follows from it. */
export interface Judgement {
  /** One for each claim, in the order of the claims. */
  readonly verdicts: readonly Verdict[]
  /** To be pinned in the transaction that takes the verdicts. */
  readonly pins: readonly Pin[]
  readonly keyChanges: readonly KeyChange[]
  readonly refused: readonly RefusedClaim[]
}

const REASONS_SHOWN = 3

/** Why claims were refused, in words: the first three reasons, and how many more there are. */
export function refusalInWords({ refused }: Pick<Judgement, "refused">): string {
  const shown = refused.slice(0, REASONS_SHOWN).map(({ reason }) => reason)
  const more = refused.length - shown.length
  return more === 0 ? shown.join("; ") : `${shown.join("; ")}; and ${more} more`
}
