import type { Entry, InboxEntry } from "@conclave/contracts/delivery"
import type { Lying, StoredInterval } from "./memory-access.js"
import {
  type Admitted,
  type Appended,
  type Budgets,
  ENTRY_OVERHEAD,
  type GroupPage,
  type GroupPolicy,
  type GroupUse,
  type NewEntry,
  type NewGroup,
  type NewKeyPackage,
  type Refusal,
} from "./store.js"

export interface Appending {
  readonly entry: Entry
  readonly source: NewEntry
  readonly undelivered: readonly Uint8Array[]
  /** Rises with everything that is put into a log or an inbox. */
  readonly number: bigint
}

export interface Group {
  readonly created: NewGroup
  log: Appending[]
  nextSeq: bigint
  oldestSeq: bigint
  lastCommitSeq: bigint
  chainHash: Uint8Array
  lastAt: bigint
  budgets: Budgets
  intervals: StoredInterval[]
  beside: bigint
  lying: Lying
  policy: GroupPolicy
  /** The newest number of a knock. */
  knockNumber: bigint
}

export interface Delivered {
  readonly entry: InboxEntry
  readonly sender: string
  readonly number: bigint
}

export interface Device {
  published: boolean
  inbox: Delivered[]
  inboxHead: bigint
}

export interface Package extends NewKeyPackage {
  readonly owner: string
  readonly lastResort: boolean
  used: boolean
}

export const key = (...parts: readonly (Uint8Array | number)[]) =>
  parts.map((part) => (typeof part === "number" ? part : Buffer.from(part).toString("hex"))).join(" ")

export function staleness(group: Group, { kind, after, pastCommitsMax }: NewEntry): Appended | undefined {
  const { lastCommitSeq, oldestSeq, log } = group
  if (after === lastCommitSeq) return undefined
  const commits = log.filter(({ entry }) => entry.kind === "commit").map(({ entry }) => entry.seq)
  const unread = commits.filter((seq) => seq > after).length
  const isUnknown = commits.length <= pastCommitsMax && after + 1n < oldestSeq
  const isStale = after > lastCommitSeq || unread > (kind === "application" ? pastCommitsMax : 0) || isUnknown
  return isStale ? { type: "stale", lastCommitSeq, headSeq: group.nextSeq - 1n } : undefined
}

export function keyReuse({ intervals }: Group, { commit }: NewEntry): Appended | undefined {
  const begun = commit?.begins
  if (begun === undefined) return undefined
  return intervals.some(({ accessKey }) => key(accessKey) === key(begun.accessKey)) ? { type: "keyReused" } : undefined
}

export const bytesOf = ({ log }: Group) => log.reduce((sum, { entry }) => sum + entry.body.length + ENTRY_OVERHEAD, 0)

/** What admits nothing refuses; what does is taken from the budgets. */
export function admission(
  group: Group,
  { admit }: { admit(group: GroupUse): Refusal | Admitted | undefined },
): Refusal | undefined {
  const answer = admit({ bytes: bytesOf(group), budgets: group.budgets })
  if (answer?.type !== "admitted") return answer
  group.budgets = answer.budgets
  return undefined
}

interface Paging<T> {
  readonly limit: number
  readonly sizeMax: number
  readonly sizeOf: (entry: T) => number
}

export function firstPage<T>(entries: readonly T[], { limit, sizeMax, sizeOf }: Paging<T>): T[] {
  const page: T[] = []
  let size = 0
  for (const entry of entries.slice(0, limit)) {
    size += sizeOf(entry)
    if (page.length > 0 && size > sizeMax) break
    page.push(entry)
  }
  return page
}

/** Of whatever belongs to groups, the groups that there are. */
export function groupsAmong(
  all: Iterable<{ readonly groupId: Uint8Array }>,
  { after, limit }: GroupPage,
): readonly Uint8Array[] {
  const byKey = new Map([...all].map(({ groupId }) => [key(groupId), groupId]))
  const later = [...byKey.values()].filter((groupId) => Buffer.compare(groupId, after) > 0)
  return later.sort(Buffer.compare).slice(0, limit)
}
