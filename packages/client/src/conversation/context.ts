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
  /** The seq of the commit that this device cannot follow, where that is why it has to rejoin. */
  refusedCommit: bigint | undefined
  /** What the service has to rejoin by is of no use. */
  stall: (Pause & { readonly seq: bigint }) | undefined
  /** The service does not know the group. */
  missing: Pause | undefined
  /** The service refuses the commit that is under way, or a message. */
  deferral: (Pause & { readonly of: "commit" | "message" }) | undefined
  /** There were entries of an epoch that this device has not got to: whether a member has signed for it is looked up. */
  unreached: (Pause & { readonly isDue: boolean }) | undefined
  /** External commits since an entry was followed last. */
  rejoins: number
  /** What the service refused as stale last, and the last commit that this device had read then. */
  stale: { readonly request: Uint8Array; readonly lastCommit: bigint | undefined } | undefined
  readonly signal: AbortSignal
}

/** Something that is tried again, less and less often. */
export interface Pause {
  readonly tries: number
  /** Unix time in milliseconds. */
  readonly retryAt: number
}

/** The pause after `before`: `first` milliseconds long, then twice as long each time, at most `most`. */
export function pause(work: Pick<Work, "now">, before: Pause | undefined, first: number, most: number): Pause {
  const tries = (before?.tries ?? 0) + 1
  return { tries, retryAt: work.now() + Math.min(most, first * 2 ** Math.min(tries - 1, 30)) }
}

export function isPausing(work: Pick<Work, "now">, paused: Pause | undefined): boolean {
  return paused !== undefined && work.now() < paused.retryAt
}

/** Whether the log has been followed as far as it is known to go. */
export function isAtHead({ headSeq, local }: Work): boolean {
  return headSeq !== undefined && local.state.cursor >= headSeq
}

/** The application wants to know now: no pause is waited for. */
export function askAgain(work: Work): void {
  work.headSeq = undefined
  for (const name of ["missing", "deferral", "stall"] as const) {
    const paused = work[name]
    if (paused !== undefined) Object.assign(work, { [name]: { ...paused, retryAt: 0 } })
  }
}

/** The log goes at least to `seq`. */
export function learnHead(work: Work, seq: bigint): void {
  if (work.headSeq !== undefined && work.headSeq < seq) work.headSeq = seq
}

/** A profile of an earlier version does not know the last commit entry up to the cursor: the service is asked. */
export async function learnLastCommit({ local, delivery, steps, signal }: Work): Promise<void> {
  if (local.state.lastCommit !== undefined) return
  const lastCommit = (await delivery.head(local.id, signal))?.lastCommitSeq
  // One after the cursor will be read, and known then.
  if (lastCommit === undefined || lastCommit > local.state.cursor) return
  await steps.run(local, (step) => local.update(step, { lastCommit }))
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
