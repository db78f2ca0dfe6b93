import type { Entry } from "@conclave/contracts/delivery"
import {
  AuthenticityError,
  type CredentialClaim,
  DecodeError,
  type Group,
  RuleError,
  type StagedJoin,
  StateError,
  UnsupportedError,
  type Verdict,
} from "@conclave/mls"
import type { IntervalKeys } from "../access/interval-keys.js"
import { type DeclineReason, declinedData } from "../conversation/declining.js"
import { intervalIn } from "../conversation/epoch-interval.js"
import { outgoing } from "../conversation/request.js"
import { Busy } from "../service/call.js"
import type { Delivery } from "../service/delivery.js"

const TRIES_MAX = 4
const ENTRIES_MAX = 512

export interface Declining {
  readonly delivery: Delivery
  readonly random: (length: number) => Uint8Array
  readonly staged: StagedJoin
  /** Of the interval in force. */
  readonly keys: IntervalKeys | undefined
  /** The seq of the Welcome's commit. */
  readonly seq: bigint
  readonly reason: DeclineReason
  readonly signal: AbortSignal
}

/**
 * Tells the others that this device does not come in: enters the group in memory, says so, and forgets it. Where the
 * group has gone on meanwhile it is followed up to its last epoch, without judging anybody: nothing is read or shown.
 * Does nothing where that is not possible. Rejects with `UNAVAILABLE` where the service does not answer.
 */
export async function declineUnseen({ delivery, random, staged, keys, seq, reason, signal }: Declining): Promise<void> {
  const { groupId: id } = staged
  const group = staged.accept(unjudged(staged.claims))
  let prover = keys
  try {
    for (let [cursor, lastCommit, tries] = [seq, seq, 0]; tries < TRIES_MAX; tries++) {
      const { epoch } = group
      const change = { type: "remove", leafIndex: group.ownLeafIndex } as const
      const body = group.propose(change, { authenticatedData: declinedData(reason) }).message
      const append = { kind: "proposal", epoch, body, commit: undefined } as const
      const answer = await delivery.send(outgoing({ id, lastCommit }, append, random).request, { prover, signal })
      if (answer.type !== "stale") return
      const entries = await entriesAfter(delivery, { id, cursor, prover }, signal)
      const followed = entries.length > 0 && followUnseen(group, entries)
      if (followed === false) return
      prover = followed ?? prover
      cursor = entries.at(-1)!.seq
      lastCommit = entries.findLast(({ kind }) => kind === "commit")?.seq ?? lastCommit
    }
  } catch (error) {
    // A member who keeps a group busy must not hold up this device's inbox.
    if (isMlsError(error) || error instanceof Busy) return
    throw error
  } finally {
    group[Symbol.dispose]()
  }
}

async function entriesAfter(
  delivery: Delivery,
  {
    id,
    cursor,
    prover,
  }: { readonly id: Uint8Array; readonly cursor: bigint; readonly prover: IntervalKeys | undefined },
  signal: AbortSignal,
): Promise<readonly Entry[]> {
  const entries: Entry[] = []
  for (let after = cursor; entries.length < ENTRIES_MAX; after = entries.at(-1)!.seq) {
    const answer = await delivery.read(id, after, { prover, signal })
    if (answer.type !== "entries" || answer.entries.length === 0) break
    entries.push(...answer.entries)
    if (entries.at(-1)!.seq >= answer.headSeq) break
  }
  return entries
}

/**
 * The keys of the newest interval that has begun, if one has; `false` where this device is a member no more. What cannot be
 * followed is passed over, as members do.
 */
function followUnseen(group: Group, entries: readonly Entry[]): IntervalKeys | false | undefined {
  let keys: IntervalKeys | undefined
  for (const { kind, body, begins } of entries) {
    if (kind === "application") continue
    try {
      const received = group.receive(body)
      if (received.type !== "commit") continue
      group.apply(received.staged, unjudged(received.staged.claims))
      if (received.staged.selfRemoved) return false
      if (begins !== undefined) keys = intervalIn(group)
    } catch (error) {
      if (!isMlsError(error)) throw error
    }
  }
  return keys
}

function isMlsError(error: unknown): boolean {
  return [RuleError, AuthenticityError, StateError, UnsupportedError, DecodeError].some((it) => error instanceof it)
}

/** For a group that nobody is shown, and in which nothing is said but that this device leaves. */
function unjudged(claims: readonly CredentialClaim[]): readonly Verdict[] {
  return claims.map((claim) => ({ claim, accepted: true }))
}
