import type { Sha256 } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import type { Connection } from "../connection.js"
import { bytesArray, textArray } from "../values.js"
import { accept, answerOf, judged, type NewRow, parametersOf, type Settled, type Work } from "./append.js"
import { type GroupState, stateOf } from "./group-state.js"
import { OF_USE } from "./use.js"

/** What has become of some entries, and of which nothing was written and nothing is said, in their order. */
export interface Free<W extends Work> {
  readonly settled: readonly { readonly work: W; readonly settled: Settled }[]
  readonly rest: readonly W[]
  /** Those of {@link rest} that another transaction was in the way of. */
  readonly conflicting: readonly W[]
}

/** A group as it was read. */
interface Seen<W> {
  readonly group: GroupState
  /** Of its row: another after each change. */
  readonly version: string
  readonly works: { readonly work: W; readonly settled: Settled }[]
  readonly rows: NewRow[]
  isLeft: boolean
}

/**
 * Appends, in two round trips and without waiting for a lock, what nothing is in the way of: reads, and writes where the groups'
 * rows are still as they were read, in one statement that is a transaction of its own. Left for {@link appendTogether} is what
 * needs more of a group than its row (commits, repetitions, messages of an earlier key or that have not read the last commit),
 * what has expired or nearly so, what comes after it in the same group, and all of a group that changed meanwhile.
 */
export async function appendFree<W extends Work>(
  connection: Connection,
  works: readonly W[],
  sha256: Sha256,
): Promise<Free<W>> {
  const found = await read(connection, works)
  const settled: { work: W; settled: Settled }[] = []
  const seen = new Set<Seen<W>>()
  for (const [index, work] of works.entries()) {
    const { of, isRepeated } = found[index] ?? { of: undefined, isRepeated: false }
    if (of === undefined) {
      settled.push({ work, settled: { value: { type: "notFound" } } })
      continue
    }
    seen.add(of)
    of.isLeft ||= isRepeated || !isPlain(work, of.group)
    if (!of.isLeft) of.works.push({ work, settled: await take(connection, work, { of, sha256 }) })
  }
  const writing = [...seen].filter(({ rows }) => rows.length > 0)
  const written = await write(connection, writing)
  for (const of of seen) {
    if (of.rows.length === 0 || written.has(of.group.number)) settled.push(...of.works)
  }
  const done = new Set(settled.map(({ work }) => work))
  const conflicting = writing
    .filter(({ group }) => !written.has(group.number))
    .flatMap(({ works }) => works.map(({ work }) => work))
  return { settled, rest: works.filter((work) => !done.has(work)), conflicting }
}

/** The sweep does not come that close meanwhile. */
const HORIZON_MILLISECONDS = 3_600_000n

/** Whether the row of the group says all that the rules ask for. */
function isPlain({ entry }: Work, { accessKey, lastCommitSeq, counted, swept }: GroupState): boolean {
  const { kind, key, after, at } = entry
  if (kind === "commit" || after !== lastCommitSeq || key === undefined || !equalBytes(key, accessKey)) return false
  return at - HORIZON_MILLISECONDS > counted && at - HORIZON_MILLISECONDS > swept
}

interface Taking<W> {
  readonly of: Seen<W>
  readonly sha256: Sha256
}

async function take<W extends Work>(connection: Connection, work: W, { of, sha256 }: Taking<W>): Promise<Settled> {
  const outcome = judged(of.group, work)
  if (outcome !== undefined) return outcome
  const row = await accept(connection, work, { group: of.group, sha256 })
  of.rows.push(row)
  return { value: answerOf(row) }
}

interface Found<W> {
  readonly of: Seen<W>
  readonly isRepeated: boolean
}

/** By the place of the entry; all of one moment. */
async function read<W extends Work>(connection: Connection, works: readonly W[]): Promise<(Found<W> | undefined)[]> {
  const rows = await connection.all(
    `SELECT asked.place::integer AS place, held.xmin::text AS version, held.number, held.id, next_seq, oldest_seq, last_commit_seq,
       beside, ${OF_USE}, last_at, access_seq, access_key, head_hash, retention.counted, retention.log AS swept, log.seq AS repeated
     FROM retention CROSS JOIN unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS asked (id, idem, place)
     JOIN mls_group AS held ON held.id = asked.id
     LEFT JOIN log ON log.group_number = held.number AND log.idem = asked.idem`,
    [bytesArray(works.map(({ entry }) => entry.groupId)), bytesArray(works.map(({ entry }) => entry.idempotencyId))],
  )
  const found: (Found<W> | undefined)[] = works.map(() => undefined)
  const groups = new Map<bigint, Seen<W>>()
  for (const row of rows) {
    const { number, version, counted, swept, repeated, place } = row
    let of = groups.get(number)
    if (of === undefined) {
      of = { group: { ...stateOf(row), counted, swept }, version, works: [], rows: [], isLeft: false }
      groups.set(number, of)
    }
    found[place - 1] = { of, isRepeated: repeated !== null }
  }
  return found
}

/** Returns the numbers of the groups that were written. */
async function write<W>(connection: Connection, writing: readonly Seen<W>[]): Promise<ReadonlySet<bigint>> {
  if (writing.length === 0) return new Set()
  const parameters = parametersOf(writing.flatMap(({ rows }) => rows))
  const written = await connection.commit(WRITE_FREE, [...parameters, textArray(writing.map(({ version }) => version))])
  return new Set(written.map(({ number }) => number))
}

/**
 * As `WRITE` of appending with locks, for those groups whose rows are as they were read. A row that somebody has locked is about
 * to change: nobody waits for it here, so that no two of these can wait for each other.
 */
export const WRITE_FREE = `
  WITH held AS MATERIALIZED (
    SELECT mls_group.number FROM unnest($19::bigint[], $20::bigint[], $33::text[]) AS was (number, next_seq, version)
    JOIN mls_group ON mls_group.number = was.number
    WHERE mls_group.next_seq = was.next_seq AND mls_group.xmin::text = was.version
    FOR UPDATE OF mls_group SKIP LOCKED
  ), free AS MATERIALIZED (
    SELECT coalesce(array_agg(number), '{}') AS numbers FROM held
  ), entry AS (
    INSERT INTO log
      (group_number, seq, epoch, at, size, kind, idem, request_hash, body_hash, chain_hash, begins, undelivered, body)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[],
      $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[]) AS added (number)
    WHERE added.number = ANY ((SELECT numbers FROM free)::bigint[])
  ), body AS (
    INSERT INTO message_body (at, group_number, seq, body)
    SELECT * FROM unnest($14::bigint[], $15::bigint[], $16::bigint[], $17::bytea[]) AS added (at, number)
    WHERE added.number = ANY ((SELECT numbers FROM free)::bigint[])
  ), told AS (
    INSERT INTO news (group_id) SELECT id FROM unnest($18::bytea[], $19::bigint[]) AS touched (id, number)
    WHERE touched.number = ANY ((SELECT numbers FROM free)::bigint[])
  )
  UPDATE mls_group SET next_seq = became.next_seq, last_commit_seq = became.last_commit_seq, beside = became.beside,
    bytes = became.bytes, last_at = became.last_at, access_seq = became.access_seq, access_key = became.access_key,
    head_hash = became.head_hash, appends_full_at = became.appends, proposals_full_at = became.proposals,
    commits_full_at = became.commits, knocks_full_at = became.knocks
  FROM unnest($19::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[], $26::bigint[],
    $27::bytea[], $28::bytea[], $29::float8[], $30::float8[], $31::float8[], $32::float8[])
    AS became (number, next_seq, last_commit_seq, beside, bytes, last_at, access_seq, access_key, head_hash,
      appends, proposals, commits, knocks)
  WHERE mls_group.number = became.number AND became.number = ANY ((SELECT numbers FROM free)::bigint[])
  RETURNING mls_group.number`
