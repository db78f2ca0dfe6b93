import type { Sha256 } from "@conclave/contracts/log-chain"
import { Suspended } from "@conclave/delivery/store"
import type { Connection, Database } from "../database.js"
import { deleteAnswers, deleteKnocks } from "./beside.js"
import { deleteEntry } from "./inbox.js"

/** Throws {@link Suspended} where the operator has suspended the device. */
export function requireActive(connection: Connection, deviceId: Uint8Array): void {
  const row = connection.get("SELECT reason FROM suspended_device WHERE id = ?", [deviceId])
  if (row !== undefined) throw new Suspended(row.reason)
}

export function isSuspended(connection: Connection, deviceId: Uint8Array): boolean {
  return connection.get("SELECT 1 FROM suspended_device WHERE id = ?", [deviceId]) !== undefined
}

export function suspendDevice(connection: Connection, deviceId: Uint8Array, reason: string): void {
  connection.run("INSERT OR REPLACE INTO suspended_device (id, reason) VALUES (?, ?)", [deviceId, reason])
  connection.run("INSERT INTO action_news (device_id) VALUES (?)", [deviceId])
}

export function resumeDevice(connection: Connection, deviceId: Uint8Array): void {
  connection.run("DELETE FROM suspended_device WHERE id = ?", [deviceId])
}

interface Closing {
  readonly groupId: Uint8Array
  /** 32 bytes that nobody can guess, under which the log waits to be deleted. */
  readonly asId: Uint8Array
  readonly sha256: Sha256
}

/**
 * From then on there is no such group, and none can be made. Its log is no longer to be found, and is deleted a part at
 * a time by {@link deleteClosed}, so that no writer waits for long; where that is cut short, the next sweep goes on.
 * Returns the number of the group, `undefined` where there is none.
 */
export function beginClosing(connection: Connection, { groupId, asId, sha256 }: Closing): bigint | undefined {
  const group = connection.get("SELECT number FROM mls_group WHERE id = ?", [groupId])
  if (group === undefined) return undefined
  const number: bigint = group.number
  const beside = (table: "knock" | "answer") =>
    connection.all(`SELECT number FROM ${table} WHERE group_number = ?`, [number])
  deleteKnocks(connection, beside("knock"))
  deleteAnswers(connection, beside("answer"))
  const waiting = connection.all("SELECT number FROM inbox WHERE group_id = ?", [groupId])
  for (const entry of waiting) deleteEntry(connection, entry.number)
  connection.run("DELETE FROM group_policy WHERE group_number = ?", [number])
  connection.run("INSERT INTO former_group (id) VALUES (?) ON CONFLICT DO NOTHING", [sha256(groupId)])
  connection.run("UPDATE mls_group SET id = ?, oldest_seq = next_seq, last_at = -1 WHERE number = ?", [asId, number])
  connection.run("INSERT INTO action_news (group_id) VALUES (?)", [groupId])
  return number
}

/** Returns whether nothing is left of it. */
export function deleteClosed(connection: Connection, number: bigint, rowsMax: number): boolean {
  connection.run("DELETE FROM log WHERE rowid IN (SELECT rowid FROM log WHERE group_number = ? ORDER BY seq LIMIT ?)", [
    number,
    rowsMax,
  ])
  if (connection.get("SELECT 1 FROM log WHERE group_number = ? LIMIT 1", [number]) !== undefined) return false
  connection.run("DELETE FROM access_interval WHERE group_number = ?", [number])
  connection.run("DELETE FROM mls_group WHERE number = ?", [number])
  return true
}

/** Rows of one transaction, which others wait for. */
export const CLOSED_ROWS_AT_A_TIME = 500

export async function closeGroup(database: Database, closing: Closing): Promise<boolean> {
  const number = await database.write((connection) => beginClosing(connection, closing))
  if (number === undefined) return false
  while (!(await database.write((connection) => deleteClosed(connection, number, CLOSED_ROWS_AT_A_TIME)))) {}
  database.checkpoint()
  return true
}
