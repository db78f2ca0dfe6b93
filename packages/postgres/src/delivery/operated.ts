import { randomBytes } from "node:crypto"
import type { Sha256 } from "@conclave/contracts/log-chain"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { bigintArray, type Row } from "../values.js"
import { lockDevices, releaseAll } from "./inbox.js"
import { tell } from "./news.js"

export async function suspendDevice(connection: Connection, deviceId: Uint8Array, reason: string): Promise<void> {
  await connection.run(
    "INSERT INTO device (id, suspended) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET suspended = excluded.suspended",
    [deviceId, reason],
  )
  await tell(connection, { devices: [deviceId] })
}

export async function resumeDevice(connection: Connection, deviceId: Uint8Array): Promise<void> {
  await connection.run("UPDATE device SET suspended = NULL WHERE id = $1", [deviceId])
}

/**
 * From then on there is no such group, and none can be made. Its log is no longer to be found, and is deleted a part at
 * a time, so that no writer waits for long; where that is cut short, the next sweep goes on.
 */
export async function closeGroup(database: Database, groupId: Uint8Array, sha256: Sha256): Promise<boolean> {
  // 32 bytes that nobody can guess, under which the log waits to be deleted.
  const asId = randomBytes(32)
  const number = await database.write((connection) => beginClosing(connection, { groupId, asId, sha256 }))
  if (number === undefined) return false
  await finishClosing(database, number)
  return true
}

export async function finishClosing(database: Database, number: bigint): Promise<void> {
  const part = async (connection: Connection) => (await deleteLog(connection, number, ROWS_AT_A_TIME)).isDone
  while (!(await database.write(part))) {}
}

/** Of one transaction, which others wait for. */
const ROWS_AT_A_TIME = 500

interface Closing {
  readonly groupId: Uint8Array
  readonly asId: Uint8Array
  readonly sha256: Sha256
}

export async function beginClosing(
  connection: Connection,
  { groupId, asId, sha256 }: Closing,
): Promise<bigint | undefined> {
  const group = await connection.get("SELECT number FROM mls_group WHERE id = $1 FOR UPDATE", [groupId])
  if (group === undefined) return undefined
  const number: bigint = group.number
  const waiting = await connection.all("SELECT DISTINCT device_id FROM inbox WHERE group_id = $1", [groupId])
  await lockDevices(
    connection,
    waiting.map(({ device_id }) => device_id),
  )
  const welcomes = await connection.all("DELETE FROM inbox WHERE group_id = $1 RETURNING body_hash AS hash", [groupId])
  const answers = await deleteBeside(connection, number)
  await connection.run("INSERT INTO former_group (id) VALUES ($1) ON CONFLICT DO NOTHING", [sha256(groupId)])
  await connection.run("DELETE FROM group_policy WHERE group_number = $1", [number])
  await connection.run("UPDATE mls_group SET id = $1, oldest_seq = next_seq, last_at = -1 WHERE number = $2", [
    asId,
    number,
  ])
  await tell(connection, { groups: [groupId] })
  await releaseAll(connection, [...welcomes.map(({ hash }) => hash), ...answers])
  return number
}

/** Returns the hashes of the Welcomes that are pointed to no longer. */
export async function deleteBeside(connection: Connection, number: bigint): Promise<Uint8Array[]> {
  await connection.run("DELETE FROM knock WHERE group_number = $1", [number])
  const answers = await connection.all("DELETE FROM answer WHERE group_number = $1 RETURNING welcome_hash AS hash", [
    number,
  ])
  return answers.map(({ hash }) => hash)
}

/** Deletes entries of a group that is not shown any more, and then the group. Returns how many rows that were. */
export async function deleteLog(connection: Connection, number: bigint, rowsMax: number) {
  const rows = await connection.all(
    `DELETE FROM log WHERE group_number = $1 AND seq = ANY (ARRAY(
       SELECT seq FROM log WHERE group_number = $1 ORDER BY seq LIMIT $2)) RETURNING group_number, seq, at`,
    [number, rowsMax],
  )
  await deleteBodies(connection, rows)
  if (rows.length === rowsMax) return { rows: rows.length, isDone: false }
  await connection.run("DELETE FROM access_interval WHERE group_number = $1", [number])
  await connection.run("DELETE FROM superseded_commit WHERE group_number = $1", [number])
  await connection.run("DELETE FROM group_policy WHERE group_number = $1", [number])
  return {
    rows: rows.length + (await connection.run("DELETE FROM mls_group WHERE number = $1", [number])),
    isDone: true,
  }
}

/** Of entries that are deleted. The bodies of expired ones may be gone with their partition. */
export async function deleteBodies(connection: Connection, places: readonly Row[]): Promise<void> {
  if (places.length === 0) return
  const times = places.map(({ at }) => at as bigint)
  const deleted = await connection.planned(
    `DELETE FROM message_body USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS gone (at, group_number, seq)
     WHERE message_body.at = gone.at AND message_body.group_number = gone.group_number AND message_body.seq = gone.seq
       AND message_body.at BETWEEN $4 AND $5 RETURNING message_body.at`,
    [
      bigintArray(times),
      bigintArray(places.map(({ group_number }) => group_number)),
      bigintArray(places.map(({ seq }) => seq)),
      times.reduce((a, b) => (a < b ? a : b)),
      times.reduce((a, b) => (a > b ? a : b)),
    ],
  )
  if (deleted.length === 0) return
  await connection.run(
    `UPDATE message_partition SET touched = true WHERE NOT touched AND EXISTS
       (SELECT 1 FROM unnest($1::bigint[]) AS gone (at) WHERE gone.at >= start_at AND gone.at < end_at)`,
    [bigintArray(deleted.map(({ at }) => at))],
  )
}
