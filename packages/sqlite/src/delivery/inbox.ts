import { type InboxEntry, InboxKind } from "@conclave/contracts/delivery"
import type { InboxPage, Page } from "@conclave/delivery/store"
import type { Connection, Row } from "../database.js"
import { releaseBlob } from "./blobs.js"
import { kindOf } from "./kinds.js"

export interface Delivery {
  readonly kind: InboxEntry["kind"]
  readonly groupId: Uint8Array
  readonly seq: bigint
  readonly bodyHash: Uint8Array | null
  /** See `NewCommit`; empty for what the service says itself. */
  readonly sender: Uint8Array
  readonly at: bigint
}

/** Puts an entry into the inbox of a device. */
export function deliver(connection: Connection, deviceId: Uint8Array, entry: Delivery): void {
  connection.run(
    "INSERT INTO device (id, inbox_head) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET inbox_head = inbox_head + 1",
    [deviceId],
  )
  connection.run(
    `INSERT INTO inbox (device_id, n, kind, group_id, seq, body_hash, sender, at)
     VALUES (?, (SELECT inbox_head FROM device WHERE id = ?), ?, ?, ?, ?, ?, ?)`,
    [
      deviceId,
      deviceId,
      InboxKind.values[entry.kind],
      entry.groupId,
      entry.seq,
      entry.bodyHash,
      entry.sender,
      entry.at,
    ],
  )
}

interface Room {
  readonly groupId: Uint8Array
  readonly sender: Uint8Array
  readonly inboxEntriesMax: number
  readonly inboxEntriesPerGroupMax: number
}

/** Deletes what has to go for one more Welcome: see `NewCommit`. */
export function makeRoom(connection: Connection, deviceId: Uint8Array, room: Room): void {
  const { all, same } = connection.get(
    'SELECT count(*) AS "all", count(*) FILTER (WHERE group_id = ?) AS same FROM inbox WHERE device_id = ? AND kind = ?',
    [room.groupId, deviceId, WELCOME],
  )!
  if (same >= room.inboxEntriesPerGroupMax) {
    const oldest = connection.get(
      `SELECT min(number) AS number FROM inbox WHERE device_id = ? AND kind = ? AND group_id = ?
       GROUP BY sender ORDER BY count(*) + (sender = ?) DESC, number LIMIT 1`,
      [deviceId, WELCOME, room.groupId, room.sender],
    )!
    deleteEntry(connection, oldest.number)
  } else if (all >= room.inboxEntriesMax) {
    const oldest = connection.get(
      `SELECT min(number) AS number FROM inbox WHERE device_id = ? AND kind = ?
       GROUP BY sender ORDER BY count(*) + (sender = ?) DESC, number LIMIT 1`,
      [deviceId, WELCOME, room.sender],
    )!
    deleteEntry(connection, oldest.number)
  }
}

const WELCOME = InboxKind.values.welcome

export function deleteEntry(connection: Connection, number: bigint): void {
  const row = connection.get("SELECT body_hash, tree_hash FROM inbox WHERE number = ?", [number])!
  connection.run("DELETE FROM inbox WHERE number = ?", [number])
  releaseBlob(connection, row.body_hash)
  releaseBlob(connection, row.tree_hash)
}

export function readInbox(connection: Connection, page: Page & { readonly deviceId: Uint8Array }): InboxPage {
  const entries: InboxEntry[] = []
  let size = 0
  let after = page.after
  while (entries.length < page.limit && size < page.sizeMax) {
    const row = connection.get(
      `SELECT n, kind, group_id, seq, at, message.body AS body, tree.body AS tree FROM inbox
       LEFT JOIN blob AS message ON message.hash = body_hash LEFT JOIN blob AS tree ON tree.hash = tree_hash
       WHERE device_id = ? AND n > ? ORDER BY n LIMIT 1`,
      [page.deviceId, after],
    )
    if (row === undefined) break
    size += (row.body?.length ?? 0) + (row.tree?.length ?? 0)
    if (entries.length > 0 && size > page.sizeMax) break
    entries.push(inboxEntryOf(row))
    after = row.n
  }
  return { entries, head: inboxHead(connection, page.deviceId) }
}

function inboxEntryOf(row: Row): InboxEntry {
  return {
    n: row.n,
    kind: kindOf(InboxKind.values, row.kind),
    groupId: row.group_id,
    seq: row.seq,
    body: row.body ?? new Uint8Array(),
    ratchetTree: row.tree ?? undefined,
    at: row.at,
  }
}

export function inboxHead(connection: Connection, deviceId: Uint8Array): bigint {
  return connection.get("SELECT inbox_head FROM device WHERE id = ?", [deviceId])?.inbox_head ?? 0n
}

export function acknowledgeInbox(connection: Connection, deviceId: Uint8Array, upTo: bigint): void {
  const rows = connection.all("SELECT body_hash, tree_hash FROM inbox WHERE device_id = ? AND n <= ?", [deviceId, upTo])
  connection.run("DELETE FROM inbox WHERE device_id = ? AND n <= ?", [deviceId, upTo])
  for (const row of rows) {
    releaseBlob(connection, row.body_hash)
    releaseBlob(connection, row.tree_hash)
  }
}
