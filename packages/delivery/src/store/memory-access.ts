import type { Interval } from "@conclave/contracts/access"
import type { Knock } from "@conclave/contracts/knocks"
import { equalBytes } from "@conclave/crypto"
import type { Beside, BesidePage, Standing } from "./store.js"

/** An interval as the model of a store keeps it. */
export interface StoredInterval extends Interval {
  readonly seq: bigint
  /** Of the entry that begins it, or the start of the chain. */
  readonly chainHash: Uint8Array
  readonly at: bigint
}

interface LyingKnock {
  readonly knock: Knock
  readonly sender: string
  readonly beside: bigint
}

interface LyingAnswer {
  readonly id: Uint8Array
  readonly knockKey: Uint8Array
  readonly seq: bigint
  readonly key: Uint8Array
  readonly welcome: Uint8Array
  readonly at: bigint
  readonly beside: bigint
}

/** What lies beside a log. */
export interface Lying {
  knocks: LyingKnock[]
  answers: LyingAnswer[]
}

interface GroupAccess {
  readonly intervals: readonly StoredInterval[]
  readonly nextSeq: bigint
  readonly lastCommitSeq: bigint
  readonly beside: bigint
}

/** What a key is to a group: see {@link Standing}. */
export function standingOf(group: GroupAccess, key: Uint8Array | undefined): Standing {
  const { intervals, beside } = group
  const common = { type: "standing", beside } as const
  const index = key === undefined ? -1 : intervals.findLastIndex(({ accessKey }) => equalBytes(accessKey, key))
  if (index < 0 && (key !== undefined || intervals[0]?.seq === 0n)) {
    return { ...common, later: undefined, formerSince: undefined, seq: 0n, reach: 0n, headSeq: 0n, lastCommitSeq: 0n }
  }
  const later = intervals.slice(index + 1)
  const reach = later.find(({ removes }) => key === undefined || removes)?.seq
  return {
    ...common,
    later: Math.min(later.length, 2) as 0 | 1 | 2,
    formerSince: later.length === 1 && !later[0]!.removes ? later[0]!.at : undefined,
    seq: intervals[index]?.seq ?? -1n,
    reach,
    headSeq: reach ?? group.nextSeq - 1n,
    lastCommitSeq: reach ?? group.lastCommitSeq,
  }
}

/** The oldest knock of each sender, then the second of each, and so on; at most `sizeMax` bytes, but at least one. */
export function fairPage(waiting: readonly LyingKnock[], sizeMax: number): Knock[] {
  const seen = new Map<string, number>()
  const ranked = waiting.map(({ knock, sender, beside }) => {
    const rank = seen.get(sender) ?? 0
    seen.set(sender, rank + 1)
    return { knock, rank, beside }
  })
  ranked.sort((a, b) => a.rank - b.rank || Number(a.beside - b.beside))
  const page: Knock[] = []
  let size = 0
  for (const { knock } of ranked) {
    size += knock.sealed.length
    if (page.length > 0 && size > sizeMax) break
    page.push(knock)
  }
  return page
}

export function besideOf(
  lying: Lying,
  asked: BesidePage & { readonly key: Uint8Array | undefined; readonly since: bigint; readonly standing: Standing },
): Beside {
  const { key, since, limit, knocksAfter, answeredAfter, standing } = asked
  const knocks = lying.knocks.filter((it) => it.beside > knocksAfter && it.knock.at >= since).slice(0, limit)
  const answered = lying.answers
    .filter((it) => it.beside > answeredAfter && it.at >= since && key !== undefined && equalBytes(it.knockKey, key))
    .slice(0, limit)
  const upTo = (page: readonly { readonly beside: bigint }[]) =>
    page.length < limit ? standing.beside : page.at(-1)!.beside
  const reachesHead = standing.reach === undefined
  return {
    type: "beside",
    knocks: reachesHead ? knocks.map(({ knock }) => knock) : [],
    answered: answered.map(({ id }) => id),
    knocksUpTo: reachesHead ? upTo(knocks) : knocksAfter,
    answeredUpTo: upTo(answered),
  }
}
