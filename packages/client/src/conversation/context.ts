import type { GroupOptions } from "@conclave/mls"
import type { VerifyLeaves } from "../client.js"
import type { Invitations } from "../core/invitations.js"
import type { Steps } from "../core/steps.js"
import type { Identity } from "../identity/identity.js"
import type { Judge } from "../identity/judge.js"
import type { Stock } from "../identity/stock.js"
import type { Delivery } from "../service/delivery.js"
import type { Directory } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"
import type { Entry } from "./follow.js"
import type { LocalConversation } from "./local.js"

/** What all conversations of a client have in common. */
export interface Shared {
  readonly store: SealedStore
  readonly steps: Steps
  readonly delivery: Delivery
  readonly directory: Directory
  readonly identity: Identity
  readonly judge: Judge
  readonly stock: Stock
  readonly invitations: Invitations
  readonly groupOptions: Omit<GroupOptions, "signer" | "suite">
  readonly random: (length: number) => Uint8Array
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly keepHistory: boolean
  readonly leaveDelayMilliseconds: number
  readonly verifyLeaves: VerifyLeaves | undefined
}

/** One conversation at work. Only one {@link advance} at a time touches its group. */
export interface Work extends Shared {
  readonly local: LocalConversation
  /** Entries that the stream has brought, in order. */
  readonly incoming: Entry[]
  /** How far the log is known to go; `undefined` where that has to be asked: after opening, and in doubt. */
  headSeq: bigint | undefined
  /** The seq of an entry that could not be followed once. */
  suspect: bigint | undefined
  /** The seq of the commit that this device refused, where that is why it has to rejoin. */
  refusedCommit: bigint | undefined
  /** What the service has to rejoin by is of no use: since how many tries, and when the next one is. */
  stall: Stall | undefined
  /** External commits since an entry was followed last. */
  rejoins: number
  /** The commit that the service has called stale once, to notice if the log does not say why. */
  staleCommit: Uint8Array | undefined
  readonly signal: AbortSignal
}

export interface Stall {
  readonly tries: number
  /** The seq of the commit that the GroupInfo came with: of each the user is told once. */
  readonly seq: bigint
  /** Unix time in milliseconds. */
  readonly retryAt: number
}

/** Whether the log has been followed as far as it is known to go. */
export function isAtHead({ headSeq, local }: Work): boolean {
  return headSeq !== undefined && local.state.cursor >= headSeq
}

/** The log goes at least to `seq`. */
export function learnHead(work: Work, seq: bigint): void {
  if (work.headSeq !== undefined && work.headSeq < seq) work.headSeq = seq
}

/** Restores the group where it is needed for the first time; `local.group` is there from then on. */
export async function needGroup({ local, steps }: Work): Promise<void> {
  if (!local.isGroupMissing) return
  local.wantGroup()
  await steps.discard(local)
}

/** Every key of the store under a prefix. */
export async function keysUnder(work: Shared, prefix: string): Promise<readonly string[]> {
  return (await work.store.list(prefix)).map(([key]) => key)
}
