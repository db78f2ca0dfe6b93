import { BLOB_CHUNK_SIZE } from "@conclave/contracts/blobs"
import { equalBytes } from "@conclave/crypto"
import {
  type BlobPart,
  type BlobRange,
  type BlobStore,
  fits,
  inChunk,
  type NewBlob,
  type NewChunk,
  type NoBlob,
  type StoredBlob,
} from "@conclave/delivery/blobs"
import type { Refusal, Swept } from "@conclave/delivery/store"
import type { Connection, Database, Row } from "../database.js"

/**
 * The tables of blobs, which have a file of their own: a backup of the service does not grow by them, and an upload does not
 * fill the write-ahead log of the messages.
 *
 * ```
 *   blob_group                 what the blobs of a group take
 *   stored_blob ─< blob_chunk  256 KiB each but the last
 * ```
 *
 * All times are Unix times in milliseconds.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE blob_group (
    group_id BLOB PRIMARY KEY,
    bytes INTEGER NOT NULL,
    blobs INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE stored_blob (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    group_id BLOB NOT NULL,
    size INTEGER NOT NULL,
    stored INTEGER NOT NULL DEFAULT 0,
    deletion BLOB NOT NULL,
    until INTEGER NOT NULL,
    kept_until INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX stored_blob_due ON stored_blob (kept_until);
  CREATE INDEX stored_blob_group ON stored_blob (group_id);

  CREATE TABLE blob_chunk (
    blob_number INTEGER NOT NULL REFERENCES stored_blob,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (blob_number, number)
  ) STRICT;
  `,
]

/** Blobs in a SQLite file of their own. Takes the database over: disposing the store closes it. */
export function blobStore(database: Database): BlobStore {
  database.migrate("blobs", migrations)
  return {
    create: (blob) => database.write((connection) => create(connection, blob)),
    put: (chunk) => database.write((connection) => put(connection, chunk), chunk.bytes.length),
    read: async (asked) => database.read((connection) => read(connection, asked)),
    delete: ({ id, deletion, at }) =>
      database.write((connection) => {
        const blob = keptBlob(connection, id, at)
        if (blob === undefined) return none
        if (!equalBytes(blob.deletion, deletion)) return { type: "wrongToken" }
        doom(connection, blob)
        return { type: "deleted" }
      }),
    groups: async ({ after, limit }) =>
      database.read((connection) => {
        const sql = "SELECT group_id FROM blob_group WHERE group_id > ? ORDER BY group_id LIMIT ?"
        return connection.all(sql, [after, limit]).map(({ group_id }) => group_id)
      }),
    deleteOfGroup: (groupId, rowsMax) => deleteSome(database, { where: "group_id = ?", parameter: groupId, rowsMax }),
    sweep: ({ at, rowsMax }) => deleteSome(database, { where: "kept_until <= ?", parameter: at, rowsMax }),
    usage: () => database.usage(),
    [Symbol.asyncDispose]: () => database.close(),
  }
}

const none: NoBlob = { type: "none" }
const COLUMNS = "number, group_id, size, stored, deletion, until, kept_until"

function create(connection: Connection, blob: NewBlob): StoredBlob | { readonly type: "idReused" } | Refusal {
  const { id, groupId, size, deletion, until, wholeBefore } = blob
  const present = connection.get(`SELECT ${COLUMNS} FROM stored_blob WHERE id = ?`, [id])
  if (present !== undefined) {
    const isSame =
      equalBytes(present.group_id, groupId) && equalBytes(present.deletion, deletion) && present.size === size
    return isSame && present.kept_until > blob.at ? stateOf(present) : { type: "idReused" }
  }
  const group = connection.get("SELECT bytes, blobs FROM blob_group WHERE group_id = ?", [groupId])
  const refusal = blob.admit({ bytes: group?.bytes ?? 0n, blobs: Number(group?.blobs ?? 0n) })
  if (refusal !== undefined) return refusal
  connection.run(
    `INSERT INTO blob_group (group_id, bytes, blobs) VALUES (?, ?, 1)
     ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes, blobs = blobs + 1`,
    [groupId, size],
  )
  connection.run(
    "INSERT INTO stored_blob (id, group_id, size, deletion, until, kept_until) VALUES (?, ?, ?, ?, ?, ?)",
    [id, groupId, size, deletion, until, wholeBefore],
  )
  return { type: "blob", stored: 0n, size, until }
}

function put(connection: Connection, chunk: NewChunk): Awaited<ReturnType<BlobStore["put"]>> {
  const blob = keptBlob(connection, chunk.id, chunk.at)
  if (blob === undefined || !equalBytes(blob.group_id, chunk.groupId)) return none
  if (!fits(chunk, blob.size, BLOB_CHUNK_SIZE)) return { type: "misfit" }
  if (chunk.offset !== blob.stored) return stateOf(blob)
  const refusal = chunk.admit()
  if (refusal !== undefined) return refusal
  if (chunk.isRight !== undefined) {
    const before = connection.all("SELECT hash FROM blob_chunk WHERE blob_number = ? ORDER BY number", [blob.number])
    if (!chunk.isRight(blob.size, [...before.map(({ hash }) => hash), chunk.hash])) {
      doom(connection, blob)
      return { type: "wrongHash" }
    }
  }
  connection.run("INSERT INTO blob_chunk (blob_number, number, hash, bytes) VALUES (?, ?, ?, ?)", [
    ...[blob.number, chunk.offset / BigInt(BLOB_CHUNK_SIZE)],
    ...[chunk.hash, chunk.bytes],
  ])
  const stored: bigint = blob.stored + BigInt(chunk.bytes.length)
  const keptUntil: bigint = chunk.isRight === undefined ? pausedUntil(chunk, blob) : blob.until
  connection.run("UPDATE stored_blob SET stored = ?, kept_until = ? WHERE number = ?", [
    ...[stored, keptUntil, blob.number],
  ])
  return stateOf({ ...blob, stored })
}

function read(connection: Connection, { id, at, offset, length }: BlobRange): BlobPart | NoBlob {
  const blob = keptBlob(connection, id, at)
  if (blob === undefined || blob.stored !== blob.size) return none
  const asked = inChunk({ offset, length }, blob.size, BLOB_CHUNK_SIZE)
  const chunk = connection.get(
    "SELECT substr(bytes, ?, ?) AS bytes FROM blob_chunk WHERE blob_number = ? AND number = ?",
    [asked.start + 1, asked.length, blob.number, asked.number],
  )
  return { type: "part", size: blob.size, bytes: chunk?.bytes ?? new Uint8Array() }
}

/** How long one that is not whole is kept after a chunk. */
function pausedUntil({ wholeBefore }: NewChunk, { kept_until, until }: Row): bigint {
  const later: bigint = wholeBefore > kept_until ? wholeBefore : kept_until
  return later < until ? later : until
}

/** One that is kept no longer is none, also before a sweep has come to it. */
function keptBlob(connection: Connection, id: Uint8Array, at: bigint): Row | undefined {
  return connection.get(`SELECT ${COLUMNS} FROM stored_blob WHERE id = ? AND kept_until > ?`, [id, at])
}

/**
 * From now on there is no such blob. Its chunks go with the next sweeps, some at a time: overwriting a hundred megabytes at
 * once would keep everybody waiting.
 */
function doom(connection: Connection, { number, group_id, size }: Row): void {
  connection.run("UPDATE stored_blob SET id = randomblob(32), kept_until = ? WHERE number = ?", [DOOMED, number])
  connection.run("UPDATE blob_group SET bytes = bytes - ?, blobs = blobs - 1 WHERE group_id = ?", [size, group_id])
  connection.run("DELETE FROM blob_group WHERE group_id = ? AND blobs <= 0", [group_id])
}

interface Deleting {
  readonly where: string
  readonly parameter: Uint8Array | bigint
  readonly rowsMax: number
}

const DOOMED = 0n

/** Some chunks in a transaction of their own, so that requests are answered in between. */
async function deleteSome(database: Database, { where, parameter, rowsMax }: Deleting): Promise<Swept> {
  const swept = await database.write((connection) => {
    const blob = connection.get(`SELECT ${COLUMNS} FROM stored_blob WHERE ${where} LIMIT 1`, [parameter])
    if (blob === undefined) return { rows: 0, more: false }
    if (blob.kept_until !== DOOMED) doom(connection, blob)
    const chunks = Math.min(rowsMax, CHUNKS_AT_A_TIME)
    const rows = connection.run(
      `DELETE FROM blob_chunk WHERE rowid IN
         (SELECT rowid FROM blob_chunk WHERE blob_number = ? ORDER BY number LIMIT ?)`,
      [blob.number, chunks],
    )
    if (rows < chunks) connection.run("DELETE FROM stored_blob WHERE number = ?", [blob.number])
    return { rows: rows + 1, more: true }
  })
  // Deleted content is in the write-ahead log still.
  if (!swept.more) database.checkpoint()
  return swept
}

/** Overwriting them is what takes the time: 4 MiB. */
const CHUNKS_AT_A_TIME = 16

function stateOf({ stored, size, until }: Row): StoredBlob {
  return { type: "blob", stored, size, until }
}
