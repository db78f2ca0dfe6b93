import type { News, NewsMark } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { bytesArray } from "../values.js"

interface Told {
  readonly groups?: readonly Uint8Array[]
  readonly devices?: readonly Uint8Array[]
}

/** Notes what the transaction touches: each once. */
export async function tell(connection: Connection, { groups = [], devices = [] }: Told): Promise<void> {
  await connection.run(
    `INSERT INTO news (group_id, device_id)
     SELECT id, NULL FROM unnest($1::bytea[]) AS id UNION ALL SELECT NULL, id FROM unnest($2::bytea[]) AS id`,
    [bytesArray(groups), bytesArray(devices)],
  )
}

/**
 * Numbers of rows are given when they are written, and seen when their transactions commit, in another order. So a mark
 * is a snapshot: new is what the transactions have written which it does not see. Whether a server is the one whose
 * snapshot it was is told by when it was started, and by whether a connection to it was lost since: after a failover, a
 * crash or a restore, ids of transactions may be given again.
 */
export async function newsSince(database: Database, mark: NewsMark | undefined): Promise<News> {
  const losses = BigInt(database.losses)
  const [since, startedAt, lossesThen] = (mark ?? []) as readonly [string?, bigint?, bigint?]
  const rows = await database.look((connection) => connection.all(NEWS, [since ?? null, MANY + 1]))
  const here = rows[0]!
  const present: NewsMark = [here.snapshot, here.started_at, losses]
  const told = { mark: present, groups: [], devices: [] }
  if (mark === undefined) return { ...told, everything: false }
  const isSame = since !== undefined && startedAt === here.started_at && lossesThen === losses
  if (!isSame || isBefore(since, here.swept, here.snapshot) || rows.length > MANY) return { ...told, everything: true }
  const ids = (column: "group_id" | "device_id") => rows.flatMap((row) => (row[column] === null ? [] : [row[column]]))
  return { ...told, groups: ids("group_id"), devices: ids("device_id"), everything: false }
}

/** More than so many ids are told as everything. */
const MANY = 10_000

/** All of one statement's snapshot. What is of a transaction to come was restored from another server. */
const NEWS = `
  SELECT here.snapshot, here.started_at, here.swept, told.group_id, told.device_id FROM (
    SELECT pg_current_snapshot()::text AS snapshot, (SELECT swept::text FROM news_horizon) AS swept,
      (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS started_at
  ) AS here LEFT JOIN (
    SELECT DISTINCT group_id, device_id FROM news
    WHERE xid >= pg_snapshot_xmin($1::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot())
      AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)
    LIMIT $2
  ) AS told ON true`

/** Whether what a snapshot does not see may have been swept. A snapshot is `xmin:xmax:…`. */
function isBefore(since: string, swept: string, snapshot: string): boolean {
  const [oldest] = since.split(":")
  const [, next] = snapshot.split(":")
  // A horizon that lies in the future is another server's.
  return BigInt(swept) <= BigInt(next!) && BigInt(oldest!) < BigInt(swept)
}

/** So long a gateway that is cut off finds out what it has missed, one by one. */
const KEPT_MILLISECONDS = 600_000

/** Returns how many rows were deleted. */
export async function sweepNews(connection: Connection, rowsMax: number): Promise<number> {
  const rows = await connection.all(
    `DELETE FROM news WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM news
       WHERE at < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $1
         AND (xid < pg_snapshot_xmin(pg_current_snapshot()) OR xid >= pg_snapshot_xmax(pg_current_snapshot()))
       ORDER BY xid LIMIT $2
     )) RETURNING CASE WHEN xid < pg_snapshot_xmin(pg_current_snapshot()) THEN xid::text END AS xid`,
    [KEPT_MILLISECONDS, rowsMax],
  )
  const swept = rows.reduce((newest: bigint, { xid }) => {
    return xid === null || BigInt(xid) < newest ? newest : BigInt(xid) + 1n
  }, 0n)
  await connection.run(
    `UPDATE news_horizon SET swept = $1::text::xid8
     WHERE swept < $1::text::xid8 OR swept > pg_snapshot_xmax(pg_current_snapshot())`,
    [`${swept}`],
  )
  return rows.length
}
