import type { Interval } from "@conclave/contracts/access"
import { equalBytes } from "@conclave/crypto"
import type { Refused, Shown, Standing } from "@conclave/delivery/store"
import type { Connection, Row } from "../database.js"
import { OF_USE } from "./use.js"

export interface Permitted {
  readonly type: "permitted"
  /** The row of `mls_group`. */
  readonly group: Row
  readonly standing: Standing
}

/** The group, where what the request shows permits it. */
export function permitted(connection: Connection, shown: Shown): Permitted | Refused {
  const group = connection.get(`SELECT ${OF_STANDING} FROM mls_group WHERE id = ?`, [shown.groupId])
  if (group === undefined) return { type: "notFound" }
  const standing = standingIn(connection, group, shown.key)
  return shown.permit(standing) ?? { type: "permitted", group, standing }
}

export function standingOf(connection: Connection, shown: Shown): Standing | Refused {
  const found = permitted(connection, shown)
  return found.type === "permitted" ? found.standing : found
}

/** Reads groups whose newest key is shown, which are nearly all, many at a time, and the others one by one. */
export function standingsOf(connection: Connection, shown: readonly Shown[]): (Standing | Refused)[] {
  const standings: (Standing | Refused)[] = []
  for (let start = 0; start < shown.length; start += GROUPS_AT_A_TIME) {
    const chunk = shown.slice(start, start + GROUPS_AT_A_TIME)
    const newest = newestOf(connection, chunk)
    for (const [at, it] of chunk.entries()) {
      const standing = newest.get(BigInt(at))
      standings.push(standing === undefined ? standingOf(connection, it) : (it.permit(standing) ?? standing))
    }
  }
  return standings
}

/** More at once cost each about as much. */
const GROUPS_AT_A_TIME = 16
const ASKED = Array.from({ length: GROUPS_AT_A_TIME }, (_, at) => `(${at}, ?, ?)`).join(", ")

/** By the place in the chunk. One statement for every number of groups: what is missing in a chunk asks for no group. */
function newestOf(connection: Connection, chunk: readonly Shown[]): Map<bigint, Standing> {
  const parameters = chunk.flatMap(({ groupId, key }) => [groupId, key ?? null])
  while (parameters.length < 2 * GROUPS_AT_A_TIME) parameters.push(null)
  const rows = connection.all(
    `WITH asked (place, id, access_key) AS (VALUES ${ASKED})
     SELECT place, next_seq, last_commit_seq, beside, access_seq FROM asked
     JOIN mls_group ON mls_group.id = asked.id AND mls_group.access_key = asked.access_key`,
    parameters,
  )
  return new Map(rows.map((group) => [group.place, standingOfNewest(group)]))
}

/** No more than is needed: each column costs a tenth of what the row does. */
const OF_STANDING = "number, next_seq, oldest_seq, last_commit_seq, beside, access_key, access_seq"

/** With the columns that appending needs, too. */
export function groupOf(connection: Connection, groupId: Uint8Array): Row | undefined {
  const values = connection.values(OF_APPENDING, [groupId])
  if (values === undefined) return undefined
  const [number, next_seq, oldest_seq, last_commit_seq, beside, access_key, access_seq, head_hash, ...used] = values
  const [bytes, appends_full_at, proposals_full_at, commits_full_at, knocks_full_at] = used
  // Spreads would make objects of so many properties slow ones, of 4 KB.
  return {
    number,
    next_seq,
    oldest_seq,
    last_commit_seq,
    beside,
    access_key,
    access_seq,
    head_hash,
    bytes,
    appends_full_at,
    proposals_full_at,
    commits_full_at,
    knocks_full_at,
  }
}

const OF_APPENDING = `SELECT ${OF_STANDING}, head_hash, ${OF_USE} FROM mls_group WHERE id = ?`

/** What a key is to the group. The newest key costs no look beyond the row of the group. */
export function standingIn(connection: Connection, group: Row, key: Uint8Array | undefined): Standing {
  if (key !== undefined && group.access_key !== null && equalBytes(group.access_key, key)) {
    return standingOfNewest(group)
  }
  const place = placeOf(connection, group, key)
  const common = { type: "standing", beside: group.beside } as const
  if (place === undefined) return { ...common, ...NONE, headSeq: 0n, lastCommitSeq: 0n }
  const headSeq = place.reach ?? group.next_seq - 1n
  return { ...common, ...place, headSeq, lastCommitSeq: place.reach ?? group.last_commit_seq }
}

function standingOfNewest({ next_seq, last_commit_seq, beside, access_seq }: Row): Standing {
  return {
    type: "standing",
    later: 0,
    seq: access_seq,
    formerSince: undefined,
    reach: undefined,
    headSeq: next_seq - 1n,
    lastCommitSeq: last_commit_seq,
    beside,
  }
}

type KeyPlace = Pick<Standing, "later" | "formerSince" | "seq" | "reach">

const NONE: KeyPlace = { later: undefined, formerSince: undefined, seq: 0n, reach: 0n }

function placeOf(connection: Connection, group: Row, key: Uint8Array | undefined): KeyPlace | undefined {
  const { number } = group
  if (key === undefined) return placeOfNone(connection, group)
  const { seq } = connection.get(
    "SELECT max(seq) AS seq FROM access_interval WHERE group_number = ? AND access_key = ?",
    [number, key],
  )!
  if (seq === null) return undefined
  const { reach } = connection.get(
    "SELECT min(seq) AS reach FROM access_interval WHERE group_number = ? AND seq > ? AND removes = 1",
    [number, seq],
  )!
  return { ...laterThan(connection, number, seq), seq, reach: reach ?? undefined }
}

/** A group that was created with a key has one that began with entry 0. */
function placeOfNone(connection: Connection, { number, access_key }: Row): KeyPlace | undefined {
  const seq = -1n
  if (access_key === null) return { later: 0, formerSince: undefined, seq, reach: undefined }
  const first = connection.get("SELECT min(seq) AS reach FROM access_interval WHERE group_number = ?", [number])!
  return first.reach === 0n ? undefined : { ...laterThan(connection, number, seq), seq, reach: first.reach }
}

/** Of the intervals that began after the entry `seq`. */
function laterThan(connection: Connection, group: bigint, seq: bigint): Pick<KeyPlace, "later" | "formerSince"> {
  const later = connection.all(
    "SELECT removes, at FROM access_interval WHERE group_number = ? AND seq > ? ORDER BY seq LIMIT 2",
    [group, seq],
  )
  const [only] = later
  const isFormer = later.length === 1 && only!.removes === 0n
  return { later: later.length as 0 | 1 | 2, formerSince: isFormer ? only!.at : undefined }
}

/** Whether an interval of the group has, or had, this key. */
export function isRegistered(connection: Connection, group: bigint, accessKey: Uint8Array): boolean {
  const found = connection.get("SELECT 1 FROM access_interval WHERE group_number = ? AND access_key = ? LIMIT 1", [
    group,
    accessKey,
  ])
  return found !== undefined
}

interface Begun extends Interval {
  readonly seq: bigint
  readonly chainHash: Uint8Array
  readonly at: bigint
}

export function beginInterval(connection: Connection, group: bigint, begun: Begun): void {
  const { accessKey, removes, seq, chainHash, at } = begun
  connection.run(
    "INSERT INTO access_interval (group_number, seq, access_key, removes, chain_hash, at) VALUES (?, ?, ?, ?, ?, ?)",
    [group, seq, accessKey, removes ? 1 : 0, chainHash, at],
  )
  connection.run("UPDATE mls_group SET access_key = ?, access_seq = ? WHERE number = ?", [accessKey, seq, group])
}
