import { encode } from "@conclave/codec"
import { Interval } from "@conclave/contracts/access"
import { EntryKind } from "@conclave/contracts/delivery"
import { chainLink, chainLinkHash, type Sha256 } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import { type Appended, ENTRY_OVERHEAD, type NewCommit, type NewEntry } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { bigintArray, bytesArray, doubleArray, integerArray, type SqlValue } from "../values.js"
import { insertIntervals, standingIn } from "./access.js"
import { keepCommitParts } from "./commit-parts.js"
import { DeviceIds } from "./device-ids.js"
import { type Answered, accessOf, type GroupState, loadGroups, placeNow, recentCommit } from "./group-state.js"
import { EXPIRED_SIZE } from "./sizes.js"
import type { admittingOnce } from "./use.js"

/** An entry that is to be appended, and what was said of it once: a transaction may be run again. */
export interface Work {
  readonly entry: NewEntry
  readonly admit: ReturnType<typeof admittingOnce>
  /** By device id, in hexadecimal digits. */
  readonly mayDeliver: Map<string, boolean>
}

export interface Batch {
  readonly works: readonly Work[]
  readonly sha256: Sha256
  /** Whether the locks of the groups were had, when it failed. */
  readonly progress: { hasGroups: boolean }
}

export type Settled = { readonly value: Appended } | { readonly error: unknown }

/** What is written of an entry. */
export interface NewRow {
  readonly group: GroupState
  readonly entry: NewEntry
  readonly seq: bigint
  readonly bodyHash: Uint8Array
  readonly chainHash: Uint8Array
  readonly undelivered: readonly Uint8Array[]
}

/**
 * Appends what can be appended, in order, all in one transaction. An error that an entry's own rules throw is that entry's.
 * Returns what has become of the first of them; the others are for another transaction, since a commit with parts is the
 * last of its own: it locks devices, which come after all groups.
 */
export async function appendTogether(connection: Connection, batch: Batch): Promise<Settled[]> {
  const { sha256, progress } = batch
  progress.hasGroups = false
  // What would be left for the next transaction is not locked for this one.
  const last = batch.works.findIndex(({ entry }) => entry.commit !== undefined && hasParts(entry.commit))
  const works = last < 0 ? batch.works : batch.works.slice(0, last + 1)
  const entries = works.map(({ entry }) => entry)
  const groups = await loadGroups(connection, entries, () => {
    progress.hasGroups = true
  })
  const settled: Settled[] = []
  const rows: NewRow[] = []
  for (const work of works) {
    const group = groups.get(work.entry.groupId)
    const outcome = judged(group, work)
    if (outcome !== undefined) {
      settled.push(outcome)
      continue
    }
    const row = await accept(connection, work, { group: group!, sha256 })
    rows.push(row)
    settled.push({ value: answerOf(row) })
  }
  if (rows.length > 0) await write(connection, rows)
  return settled
}

const hasParts = ({ recipients, answers }: NewCommit) => recipients.length > 0 || answers !== undefined

export const answerOf = ({ seq, chainHash, undelivered }: Omit<Answered, "requestHash">): Appended => {
  return { type: "accepted", seq, chainHash, undelivered }
}

/** `undefined` where the entry is to be accepted. */
export function judged(group: GroupState | undefined, work: Work): Settled | undefined {
  try {
    const value = group === undefined ? ({ type: "notFound" } as const) : refusalOf(group, work)
    return value && { value }
  } catch (error) {
    return { error }
  }
}

function refusalOf(group: GroupState, work: Work): Appended | undefined {
  const { entry } = work
  return (
    repetition(group, entry) ??
    entry.permit(standingIn(accessOf(group), entry.key, placeNow(group, entry.key))) ??
    staleness(group, entry) ??
    keyReuse(group, entry) ??
    admission(group, work)
  )
}

function repetition(group: GroupState, entry: NewEntry): Appended | undefined {
  const answered = group.answered.get(entry.idempotencyId)
  if (answered === undefined) return undefined
  return equalBytes(answered.requestHash, entry.requestHash) ? answerOf(answered) : { type: "idReused" }
}

function staleness(group: GroupState, { kind, after, pastCommitsMax }: NewEntry): Appended | undefined {
  const { lastCommitSeq } = group
  if (after === lastCommitSeq) return undefined
  const stale = { type: "stale", lastCommitSeq, headSeq: group.nextSeq - 1n } as const
  if (kind !== "application" || after > lastCommitSeq) return stale
  const unread = recentCommit(group, pastCommitsMax)
  // Where commits have expired, their number is not known: the author reads, and is told that.
  return (unread === undefined ? after + 1n < group.oldestSeq : unread > after) ? stale : undefined
}

function keyReuse(group: GroupState, { commit }: NewEntry): Appended | undefined {
  if (commit?.begins === undefined) return undefined
  const { accessKey } = commit.begins
  const isRegistered = equalBytes(group.accessKey, accessKey) || placeNow(group, accessKey) !== undefined
  return isRegistered ? { type: "keyReused" } : undefined
}

function admission(group: GroupState, { admit }: Work): Appended | undefined {
  const answer = admit({ bytes: Number(group.bytes), budgets: group.budgets })
  if ("refusal" in answer) return answer.refusal
  group.budgets = answer.budgets
  return undefined
}

interface Accepting {
  readonly group: GroupState
  readonly sha256: Sha256
}

/** Takes the entry into what the group has become in this transaction. */
export async function accept(connection: Connection, work: Work, { group, sha256 }: Accepting): Promise<NewRow> {
  const { entry } = work
  const seq = group.nextSeq
  const begins = entry.commit?.begins
  const link = chainLink(sha256, { ...entry, seq, begins })
  const chainHash = chainLinkHash(sha256, group.headHash, { seq, link })
  const undelivered =
    entry.commit === undefined
      ? []
      : await keepCommitParts(connection, entry, { group, seq, mayDeliver: work.mayDeliver, sha256 })
  const row = { group, entry, seq, bodyHash: link.bodyHash, chainHash, undelivered }
  if (begins !== undefined) {
    Object.assign(group, { accessKey: begins.accessKey, accessSeq: seq })
    group.begun.push({ ...begins, seq, chainHash, at: entry.at })
  }
  if (entry.kind === "commit") {
    if (group.lastCommitSeq > 0n && group.lastCommitSeq < group.oldestSeq) group.superseded.push(group.lastCommitSeq)
    group.newCommits.push(seq)
    group.lastCommitSeq = seq
  }
  const size = BigInt(storedSize(entry, group) + ENTRY_OVERHEAD)
  Object.assign(group, { nextSeq: seq + 1n, headHash: chainHash, lastAt: entry.at, bytes: group.bytes + size })
  group.answered.set(entry.idempotencyId, { ...row, requestHash: entry.requestHash })
  return row
}

/** What comes so late that it has expired already is kept as such. */
const isExpired = ({ kind, at }: NewEntry, { counted }: GroupState) => kind === "application" && at < counted
const storedSize = (entry: NewEntry, group: GroupState) => (isExpired(entry, group) ? EXPIRED_SIZE : entry.body.length)

/** All in one statement, and one for each interval that begins. */
async function write(connection: Connection, rows: readonly NewRow[]): Promise<void> {
  const groups = groupsOf(rows)
  const begun = groups.flatMap(({ number, begun }) => begun.map((it) => ({ ...it, group: number })))
  await insertIntervals(connection, begun)
  for (const { number, superseded } of groups) {
    for (const seq of superseded) {
      await connection.run("INSERT INTO superseded_commit (group_number, seq) VALUES ($1, $2)", [number, seq])
    }
  }
  const changed = await connection.run(WRITE, parametersOf(rows))
  await retreat(connection, rows)
  // The compare-and-set, which the locks of the rows make certain.
  if (changed !== groups.length) throw new Error("a group changed while it was locked")
}

const groupsOf = (rows: readonly NewRow[]) => [...new Set(rows.map(({ group }) => group))]

/** Of {@link WRITE}: the first of each kind are for the entries, those from $18 on for their groups. */
export function parametersOf(rows: readonly NewRow[]): SqlValue[] {
  const groups = groupsOf(rows)
  const bodies = rows.filter(({ entry, group }) => entry.kind === "application" && !isExpired(entry, group))
  return [
    bigints(rows, ({ group }) => group.number),
    bigints(rows, ({ seq }) => seq),
    bigints(rows, ({ entry }) => entry.epoch),
    bigints(rows, ({ entry }) => entry.at),
    integerArray(rows.map(({ entry }) => entry.body.length)),
    integerArray(rows.map(({ entry }) => EntryKind.values[entry.kind])),
    bytes(rows, ({ entry }) => entry.idempotencyId),
    bytes(rows, ({ entry }) => entry.requestHash),
    bytes(rows, ({ bodyHash }) => bodyHash),
    bytes(rows, ({ chainHash }) => chainHash),
    bytes(rows, ({ entry: { commit } }) => (commit?.begins === undefined ? null : encode(Interval, commit.begins))),
    bytes(rows, ({ undelivered }) => (undelivered.length === 0 ? null : encode(DeviceIds, undelivered))),
    bytes(rows, ({ entry }) => (entry.kind === "application" ? null : entry.body)),
    bigints(bodies, ({ entry }) => entry.at),
    bigints(bodies, ({ group }) => group.number),
    bigints(bodies, ({ seq }) => seq),
    bytes(bodies, ({ entry }) => entry.body),
    bytes(groups, ({ id }) => id),
    bigints(groups, ({ number }) => number),
    bigints(groups, ({ seqThen }) => seqThen),
    bigints(groups, ({ nextSeq }) => nextSeq),
    bigints(groups, ({ lastCommitSeq }) => lastCommitSeq),
    bigints(groups, ({ beside }) => beside),
    bigints(groups, (group) => group.bytes),
    bigints(groups, ({ lastAt }) => lastAt),
    bigints(groups, ({ accessSeq }) => accessSeq),
    bytes(groups, ({ accessKey }) => accessKey),
    bytes(groups, ({ headHash }) => headHash),
    ...BUDGETS.map((name) => doubleArray(groups.map(({ budgets }) => budgets[name]))),
  ]
}

/** What a gateway writes whose clock is far back is swept as well. */
async function retreat(connection: Connection, rows: readonly NewRow[]): Promise<void> {
  const late = rows.filter(({ entry, group }) => entry.at < group.swept).map(({ entry }) => entry.at)
  if (late.length === 0) return
  const earliest = late.reduce((a, b) => (a < b ? a : b))
  await connection.run("UPDATE retention SET log = $1 WHERE log > $1", [earliest])
}

const bigints = <T>(list: readonly T[], of: (it: T) => bigint) => bigintArray(list.map(of))
const bytes = <T>(list: readonly T[], of: (it: T) => Uint8Array | null) => bytesArray(list.map(of))

const BUDGETS = ["appends", "proposals", "commits", "knocks"] as const

const WRITE = `
  WITH entry AS (
    INSERT INTO log
      (group_number, seq, epoch, at, size, kind, idem, request_hash, body_hash, chain_hash, begins, undelivered, body)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[],
      $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[])
  ), body AS (
    INSERT INTO message_body (at, group_number, seq, body)
    SELECT * FROM unnest($14::bigint[], $15::bigint[], $16::bigint[], $17::bytea[])
  ), told AS (
    INSERT INTO news (group_id) SELECT * FROM unnest($18::bytea[])
  )
  UPDATE mls_group SET next_seq = became.next_seq, last_commit_seq = became.last_commit_seq, beside = became.beside,
    bytes = became.bytes, last_at = became.last_at, access_seq = became.access_seq, access_key = became.access_key,
    head_hash = became.head_hash, appends_full_at = became.appends, proposals_full_at = became.proposals,
    commits_full_at = became.commits, knocks_full_at = became.knocks
  FROM unnest($19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[],
    $26::bigint[], $27::bytea[], $28::bytea[], $29::float8[], $30::float8[], $31::float8[], $32::float8[])
    AS became (number, seq_then, next_seq, last_commit_seq, beside, bytes, last_at, access_seq, access_key, head_hash,
      appends, proposals, commits, knocks)
  WHERE mls_group.number = became.number AND mls_group.next_seq = became.seq_then`
