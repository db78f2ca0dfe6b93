import { optional, struct, type TypeOf, uint64 } from "@conclave/codec"

/** How long the service's copy of a group is kept, in milliseconds; `undefined`: as long as the operator says. */
const Kept = struct("Kept", {
  /** Bodies of application messages. */
  messages: optional(uint64),
  /** Entries of the log. */
  handshakes: optional(uint64),
})
export type Kept = TypeOf<typeof Kept>

/** What members have asked for, of the service's copy of their group; a store keeps it as it is encoded. */
export const GroupPolicy = struct("GroupPolicy", {
  /** Rises by one with each change; 0 where nobody has asked for anything. */
  version: uint64,
  wanted: Kept,
  /** What is kept until `holdsAt` (Unix time in milliseconds); `wanted` from then on. */
  former: Kept,
  holdsAt: uint64,
  /** All of the group is deleted at `goneAt` (Unix time in milliseconds) if the head of its log is `headSeq` then. */
  retired: optional(struct("Retired", { headSeq: uint64, goneAt: uint64 })),
})
export type GroupPolicy = TypeOf<typeof GroupPolicy>

const asOperator: Kept = { messages: undefined, handshakes: undefined }
export const noPolicy: GroupPolicy = {
  version: 0n,
  wanted: asOperator,
  former: asOperator,
  holdsAt: 0n,
  retired: undefined,
}

/** What holds at `at`. */
export const keptAt = ({ wanted, former, holdsAt }: GroupPolicy, at: bigint): Kept => (at < holdsAt ? former : wanted)

/** Less time holds from `at + notice` on, and more at once. */
export function keeping(policy: GroupPolicy, wanted: Kept, { at, notice }: Noticing): GroupPolicy {
  const present = keptAt(policy, at)
  const former: Kept = {
    messages: longer(present.messages, wanted.messages),
    handshakes: longer(present.handshakes, wanted.handshakes),
  }
  return { ...policy, version: policy.version + 1n, wanted, former, holdsAt: at + notice }
}

/** A group that is retired already, and to which nothing was appended since, goes when it was to go. */
export function retiring(policy: GroupPolicy, headSeq: bigint, { at, notice }: Noticing): GroupPolicy | undefined {
  if (policy.retired?.headSeq === headSeq) return undefined
  return { ...policy, version: policy.version + 1n, retired: { headSeq, goneAt: at + notice } }
}

/** Unix time, and how long members have to notice, both in milliseconds. */
export interface Noticing {
  readonly at: bigint
  readonly notice: bigint
}

/** What a policy makes due at `at`: what is from before these times, and the group itself. */
export interface Due {
  readonly messages: bigint | undefined
  readonly log: bigint | undefined
  readonly isGone: boolean
}

export function dueBy(policy: GroupPolicy, { at, headSeq }: { readonly at: bigint; readonly headSeq: bigint }): Due {
  const { messages, handshakes } = keptAt(policy, at)
  const before = (milliseconds: bigint | undefined) => (milliseconds === undefined ? undefined : at - milliseconds)
  const { retired } = policy
  const isGone = retired !== undefined && retired.headSeq === headSeq && retired.goneAt <= at
  return { messages: before(messages), log: before(handshakes), isGone }
}

/**
 * When to look at the group again, after all that was due at `at` has been deleted; `undefined`: not before the policy
 * changes. What is appended later is due later. `messageAt` and `entryAt`: of the oldest that are left.
 */
export function nextDue(
  policy: GroupPolicy,
  { at, messageAt = at, entryAt = at }: { at: bigint; messageAt?: bigint | undefined; entryAt?: bigint | undefined },
): bigint | undefined {
  const { messages, handshakes } = keptAt(policy, at)
  const times = [
    at < policy.holdsAt ? policy.holdsAt : undefined,
    messages === undefined ? undefined : messageAt + messages + 1n,
    handshakes === undefined ? undefined : entryAt + handshakes + 1n,
    // One that has passed was cancelled by an entry.
    policy.retired !== undefined && policy.retired.goneAt > at ? policy.retired.goneAt : undefined,
  ].filter((it) => it !== undefined)
  return times.length === 0 ? undefined : times.reduce((a, b) => (a < b ? a : b))
}

/** What has been done of it. */
export interface Done {
  readonly rows: number
  readonly isDone: boolean
  /** Of the first that is left. */
  readonly nextAt: bigint | undefined
}

export const nothingDone: Done = { rows: 0, isDone: true, nextAt: undefined }

/**
 * Of rows in the order of a log, one more than may be done at once, those from before `before`, up to the first that is not:
 * `rowsMax` at most. `at`, of each: Unix time in milliseconds.
 */
export function duePart<R extends Readonly<Record<string, any>>>(
  found: readonly R[],
  { before, rowsMax }: { readonly before: bigint; readonly rowsMax: number },
): { readonly due: readonly R[]; readonly done: Done } {
  const end = found.findIndex(({ at }) => at >= before)
  const due = found.slice(0, Math.min(end < 0 ? found.length : end, rowsMax))
  const next = found[due.length]
  return { due, done: { rows: due.length, isDone: next === undefined || next.at >= before, nextAt: next?.at } }
}

const longer = (a: bigint | undefined, b: bigint | undefined) =>
  a === undefined || b === undefined ? undefined : a > b ? a : b
