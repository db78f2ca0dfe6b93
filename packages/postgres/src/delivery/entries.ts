import { ENTRY_OVERHEAD } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { bigintArray, type Row } from "../values.js"
import { deleteBodies } from "./operated.js"
import { retainedIn } from "./partitions.js"
import { APPLICATION, EXPIRED_SIZE } from "./sizes.js"

/** Deletes entries of groups that are locked, and takes them off their sizes. */
export async function deleteRows(connection: Connection, rows: readonly Row[]): Promise<number> {
  if (rows.length === 0) return 0
  const { counted } = await retainedIn(connection)
  const deleted = await connection.run(
    `DELETE FROM log USING unnest($1::bigint[], $2::bigint[]) AS gone (number, seq)
     WHERE group_number = gone.number AND log.seq = gone.seq`,
    [bigintArray(rows.map((row) => row.group_number)), bigintArray(rows.map(({ seq }) => seq))],
  )
  await deleteBodies(
    connection,
    rows.filter(({ kind }) => kind === APPLICATION),
  )
  const bytes = new Map<bigint, bigint>()
  for (const { group_number, kind, size, at } of rows) {
    const stored = kind === APPLICATION && at < counted ? EXPIRED_SIZE : size
    bytes.set(group_number, (bytes.get(group_number) ?? 0n) + BigInt(stored + ENTRY_OVERHEAD))
  }
  await takeOff(
    connection,
    [...bytes].map(([number, gone]) => ({ group_number: number, bytes: gone })),
  )
  return deleted
}

/** Takes bytes off the sizes of groups. */
export async function takeOff(connection: Connection, groups: readonly Row[]): Promise<void> {
  if (groups.length === 0) return
  const numbers = bigintArray(groups.map(({ group_number }) => group_number))
  await lockGroups(connection, numbers)
  await connection.run(
    `UPDATE mls_group SET bytes = mls_group.bytes - gone.bytes
     FROM unnest($1::bigint[], $2::bigint[]) AS gone (number, bytes) WHERE mls_group.number = gone.number`,
    [numbers, bigintArray(groups.map(({ bytes }) => bytes))],
  )
}

export function lockGroups(connection: Connection, numbers: Uint8Array): Promise<Row[]> {
  return connection.all(
    "SELECT number, oldest_seq, last_commit_seq FROM mls_group WHERE number = ANY($1::bigint[]) ORDER BY number FOR UPDATE",
    [numbers],
  )
}
