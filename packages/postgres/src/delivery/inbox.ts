import { type InboxEntry, InboxKind } from "@conclave/contracts/delivery"
import { type InboxPage, type Page, Suspended } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { bytesArray, type Row } from "../values.js"
import { BlobChanges } from "./blobs.js"
import { ByBytes } from "./group-state.js"
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

/** Locks the rows of devices, by id; makes those that are not there. */
export async function lockDevices(connection: Connection, ids: readonly Uint8Array[]): Promise<ByBytes<Row>> {
  const devices = new ByBytes<Row>()
  if (ids.length === 0) return devices
  await connection.run(
    "INSERT INTO device (id) SELECT DISTINCT id FROM unnest($1::bytea[]) AS id ORDER BY id ON CONFLICT (id) DO NOTHING",
    [bytesArray(ids)],
  )
  const rows = await connection.all(
    "SELECT id, suspended, signature_key FROM device WHERE id = ANY($1::bytea[]) ORDER BY id FOR UPDATE",
    [bytesArray(ids)],
  )
  for (const row of rows) devices.set(row.id, row)
  return devices
}

/** Throws {@link Suspended} where the operator has suspended the device. Returns whether it is known. */
export async function lockActive(connection: Connection, deviceId: Uint8Array): Promise<boolean> {
  const row = await connection.get("SELECT suspended FROM device WHERE id = $1 FOR UPDATE", [deviceId])
  requireActive(row)
  return row !== undefined
}

export function requireActive(device: Row | undefined): void {
  if (device !== undefined && device.suspended !== null) throw new Suspended(device.suspended)
}

/** Puts an entry into the inbox of a device, which is locked. */
export async function deliver(connection: Connection, deviceId: Uint8Array, entry: Delivery): Promise<void> {
  await connection.run(
    `WITH head AS (UPDATE device SET inbox_head = inbox_head + 1 WHERE id = $1 RETURNING inbox_head)
     INSERT INTO inbox (device_id, n, kind, group_id, seq, body_hash, sender, at)
     SELECT $1, inbox_head, $2, $3, $4, $5, $6, $7 FROM head`,
    [deviceId, InboxKind.values[entry.kind], entry.groupId, entry.seq, entry.bodyHash, entry.sender, entry.at],
  )
}

interface Room {
  readonly groupId: Uint8Array
  readonly sender: Uint8Array
  readonly inboxEntriesMax: number
  readonly inboxEntriesPerGroupMax: number
}

/** Deletes what has to go for one more Welcome: see `NewCommit`. */
export async function makeRoom(
  connection: Connection,
  deviceId: Uint8Array,
  room: Room,
  blobs: BlobChanges,
): Promise<void> {
  const { all, same } = (await connection.get(
    `SELECT count(*)::integer AS "all", (count(*) FILTER (WHERE group_id = $1))::integer AS same
     FROM inbox WHERE device_id = $2 AND kind = ${WELCOME}`,
    [room.groupId, deviceId],
  ))!
  const isOfGroup = same >= room.inboxEntriesPerGroupMax
  if (!isOfGroup && all < room.inboxEntriesMax) return
  const deleted = await connection.get(
    `DELETE FROM inbox WHERE number = (
       SELECT min(number) FROM inbox WHERE device_id = $1 AND kind = ${WELCOME} AND (group_id = $2 OR NOT $4)
       GROUP BY sender ORDER BY count(*) + (sender = $3)::integer DESC, min(number) LIMIT 1
     ) RETURNING body_hash`,
    [deviceId, room.groupId, room.sender, isOfGroup],
  )
  blobs.release(deleted?.body_hash ?? null)
}

const WELCOME = InboxKind.values.welcome

export async function readInbox(
  connection: Connection,
  page: Page & { readonly deviceId: Uint8Array },
): Promise<InboxPage> {
  const device = await connection.get("SELECT inbox_head, suspended FROM device WHERE id = $1", [page.deviceId])
  requireActive(device)
  const rows = await connection.all(
    `SELECT n, kind, group_id, seq, at, body_hash, coalesce(octet_length(body), 0) AS size FROM inbox
     LEFT JOIN blob ON blob.hash = body_hash WHERE device_id = $1 AND n > $2 ORDER BY n LIMIT $3`,
    [page.deviceId, page.after, page.limit],
  )
  const kept = firstPage(rows, page.sizeMax)
  const bodies = new ByBytes<Uint8Array>()
  const hashes = kept.flatMap(({ body_hash }) => (body_hash === null ? [] : [body_hash]))
  if (hashes.length > 0) {
    const found = await connection.all("SELECT hash, body FROM blob WHERE hash = ANY($1::bytea[])", [
      bytesArray(hashes),
    ])
    for (const { hash, body } of found) bodies.set(hash, body)
  }
  const entries = kept.map((row) => ({
    n: row.n,
    kind: kindOf(InboxKind.values, row.kind),
    groupId: row.group_id,
    seq: row.seq,
    body: row.body_hash === null ? new Uint8Array() : bodies.get(row.body_hash)!,
    ratchetTree: undefined,
    at: row.at,
  }))
  return { entries, head: device?.inbox_head ?? 0n }
}

/** As many as fit, but one at least. */
export function firstPage(rows: readonly Row[], sizeMax: number): readonly Row[] {
  let size = 0
  const end = rows.findIndex((row, index) => {
    size += row.size
    return index > 0 && size > sizeMax
  })
  return end < 0 ? rows : rows.slice(0, end)
}

export async function inboxHead(connection: Connection, deviceId: Uint8Array): Promise<bigint> {
  return (await connection.get("SELECT inbox_head FROM device WHERE id = $1", [deviceId]))?.inbox_head ?? 0n
}

export async function acknowledgeInbox(connection: Connection, deviceId: Uint8Array, upTo: bigint): Promise<void> {
  if (!(await lockActive(connection, deviceId))) return
  const rows = await connection.all("DELETE FROM inbox WHERE device_id = $1 AND n <= $2 RETURNING body_hash", [
    deviceId,
    upTo,
  ])
  await releaseAll(
    connection,
    rows.map(({ body_hash }) => body_hash),
  )
}

export async function releaseAll(connection: Connection, hashes: readonly (Uint8Array | null)[]): Promise<void> {
  const blobs = new BlobChanges()
  for (const hash of hashes) blobs.release(hash)
  await blobs.write(connection)
}
