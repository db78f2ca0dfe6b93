import type { Interval } from "@conclave/contracts/access"
import { equalBytes } from "@conclave/crypto"
import type { Head, Refused, Shown, Standing } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { bigintArray, bytesArray, type Row } from "../values.js"

export interface Permitted {
  readonly type: "permitted"
  /** The row of `mls_group`. */
  readonly group: Row
  readonly standing: Standing
}

/** What there is of a key in a group whose newest key is another. */
export interface Place {
  readonly seq: bigint
  readonly reach: bigint | undefined
  /** The intervals that began later: the first two, at most. */
  readonly later: readonly { readonly removes: boolean; readonly at: bigint }[]
}

/** A group's row, or what has become of it in a transaction. */
export interface GroupAccess {
  readonly next_seq: bigint
  readonly last_commit_seq: bigint
  readonly beside: bigint
  readonly access_key: Uint8Array
  readonly access_seq: bigint
}

/** The group, where what the request shows permits it. */
export async function permitted(connection: Connection, shown: Shown): Promise<Permitted | Refused> {
  const [row] = await rowsOf(connection, [shown])
  return judged(row, shown)
}

/** As {@link permitted}; nothing else changes the group until the transaction ends. */
export async function permittedAlone(connection: Connection, shown: Shown): Promise<Permitted | Refused> {
  const locked = await connection.get("SELECT 1 FROM mls_group WHERE id = $1 FOR UPDATE", [shown.groupId])
  // What the row became while another had it is seen by the next statement.
  return locked === undefined ? { type: "notFound" } : permitted(connection, shown)
}

function judged(group: Row | undefined, shown: Shown): Permitted | Refused {
  if (group === undefined) return { type: "notFound" }
  const standing = standingIn(group as GroupAccess, shown.key, placeIn(group))
  return shown.permit(standing) ?? { type: "permitted", group, standing }
}

export async function standingsOf(connection: Connection, shown: readonly Shown[]): Promise<(Standing | Refused)[]> {
  const rows = await rowsOf(connection, shown)
  return shown.map((it, index) => {
    const found = judged(rows[index], it)
    return found.type === "permitted" ? found.standing : found
  })
}

export async function headOf(connection: Connection, shown: Shown): Promise<Head | Refused> {
  const [row] = await rowsOf(connection, [shown])
  const found = judged(row, shown)
  if (found.type !== "permitted") return found
  const { headSeq, lastCommitSeq, reach } = found.standing
  if (reach === undefined) return { type: "head", headSeq, lastCommitSeq, chainHash: found.group.head_hash }
  // An interval's hash never changes.
  const { chain_hash } = (await connection.get(
    "SELECT chain_hash FROM access_interval WHERE group_number = $1 AND seq = $2",
    [found.group.number, reach],
  ))!
  return { type: "head", headSeq, lastCommitSeq, chainHash: chain_hash }
}

/** One statement, so that all is of one moment. By the place in `shown`. */
async function rowsOf(connection: Connection, shown: readonly Shown[]): Promise<(Row | undefined)[]> {
  const rows = await connection.all(
    `SELECT asked.place::integer AS asked, held.number, held.next_seq, held.oldest_seq, held.last_commit_seq, held.beside,
       held.access_key, held.access_seq, held.head_hash, ${PLACE}
     FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS asked (id, key, place)
     JOIN mls_group AS held ON held.id = asked.id
     ${placeOf("held.number", "asked.key", "held.access_key <> asked.key")}`,
    [bytesArray(shown.map((it) => it.groupId)), bytesArray(shown.map((it) => it.key ?? null))],
  )
  const found: (Row | undefined)[] = shown.map(() => undefined)
  for (const row of rows) found[row.asked - 1] = row
  return found
}

/** By the place in `asked`; `undefined` where the key is none of the group's. */
export async function placesOf(
  connection: Connection,
  asked: readonly { readonly number: bigint; readonly key: Uint8Array }[],
): Promise<(Place | undefined)[]> {
  if (asked.length === 0) return []
  const rows = await connection.all(
    `SELECT asked.place::integer AS asked, ${PLACE}
     FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS asked (number, key, place)
     ${placeOf("asked.number", "asked.key", "true")}`,
    [bigintArray(asked.map(({ number }) => number)), bytesArray(asked.map(({ key }) => key))],
  )
  const found: (Place | undefined)[] = asked.map(() => undefined)
  for (const row of rows) found[row.asked - 1] = placeIn(row)
  return found
}

const PLACE = "latest.seq AS key_seq, barrier.reach, since.later, since.first_at, since.first_removes"

/** The newest key costs no look beyond the row of the group: `condition` is not so for it. */
const placeOf = (group: string, key: string, condition: string) => `
  LEFT JOIN LATERAL (
    SELECT max(seq) AS seq FROM access_interval
    WHERE group_number = ${group} AND access_key = ${key} AND ${condition}
  ) AS latest ON true
  LEFT JOIN LATERAL (
    SELECT min(seq) AS reach FROM access_interval WHERE group_number = ${group} AND seq > latest.seq AND removes
  ) AS barrier ON true
  LEFT JOIN LATERAL (
    SELECT count(*)::integer AS later, min(at) AS first_at, bool_or(removes) AS first_removes FROM (
      SELECT removes, at FROM access_interval WHERE group_number = ${group} AND seq > latest.seq ORDER BY seq LIMIT 2
    ) AS two
  ) AS since ON true`

function placeIn({ key_seq, reach, later, first_at, first_removes }: Row): Place | undefined {
  if (key_seq === null) return undefined
  const one = { removes: first_removes, at: first_at }
  return { seq: key_seq, reach: reach ?? undefined, later: Array.from({ length: later }, () => one) }
}

/** What a key is to the group. Every group has begun with a key, so who shows none is nobody. */
export function standingIn(group: GroupAccess, key: Uint8Array | undefined, place: Place | undefined): Standing {
  const common = { type: "standing", beside: group.beside } as const
  const headSeq = group.next_seq - 1n
  if (key !== undefined && equalBytes(group.access_key, key)) {
    const newest = { later: 0, seq: group.access_seq, formerSince: undefined, reach: undefined } as const
    return { ...common, ...newest, headSeq, lastCommitSeq: group.last_commit_seq }
  }
  if (key === undefined || place === undefined) {
    return { ...common, later: undefined, formerSince: undefined, seq: 0n, reach: 0n, headSeq: 0n, lastCommitSeq: 0n }
  }
  const { seq, reach, later } = place
  const [first] = later
  return {
    ...common,
    later: Math.min(later.length, 2) as 0 | 1 | 2,
    formerSince: later.length === 1 && !first!.removes ? first!.at : undefined,
    seq,
    reach,
    headSeq: reach ?? headSeq,
    lastCommitSeq: reach ?? group.last_commit_seq,
  }
}

export interface Begun extends Interval {
  readonly seq: bigint
  readonly chainHash: Uint8Array
  readonly at: bigint
}

/** That it is the newest is written with the group's row. */
export async function insertIntervals(
  connection: Connection,
  begun: readonly (Begun & { readonly group: bigint })[],
): Promise<void> {
  for (const { group, seq, at, removes, accessKey, chainHash } of begun) {
    await connection.run(
      `INSERT INTO access_interval (group_number, seq, at, removes, access_key, chain_hash)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [group, seq, at, removes, accessKey, chainHash],
    )
  }
}
