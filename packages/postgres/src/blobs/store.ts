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
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { bigintArray, type Row } from "../values.js"
import { chunksOf, Days, dayOf } from "./days.js"
import { migrations } from "./schema.js"

/**
 * Blobs in PostgreSQL. The database is its opener's to close.
 *
 * @throws {StoreUnavailable} when the tables cannot be brought up to date now, or are of a later version.
 */
export async function blobStore(database: Database): Promise<BlobStore> {
  await database.migrate("blobs", migrations)
  const days = new Days(database)
  return {
    async create(blob) {
      await days.make(dayOf(blob.until))
      const admit = admittedOnce(blob)
      return database.write((connection) => create(connection, { ...blob, admit }))
    },
    put: (chunk) => database.write((connection) => put(connection, chunk)),
    read: (asked) => database.read((connection) => read(connection, asked)),
    delete: ({ id, deletion, at }) =>
      database.write(async (connection) => {
        const blob = await keptBlob(connection, id, at, "FOR UPDATE")
        if (blob === undefined) return none
        if (!equalBytes(blob.deletion, deletion)) return { type: "wrongToken" }
        await deleteBlobs(connection, [blob])
        return { type: "deleted" }
      }),
    groups: ({ after, limit }) =>
      database.look(async (connection) => {
        const sql = "SELECT group_id FROM blob_group WHERE group_id > $1 ORDER BY group_id LIMIT $2"
        return (await connection.all(sql, [after, limit])).map(({ group_id }) => group_id)
      }),
    deleteOfGroup: (groupId, rowsMax) =>
      database.write((connection) => deleteSome(connection, { where: "group_id = $1", parameter: groupId, rowsMax })),
    async sweep({ at, rowsMax }) {
      const due = { where: "kept_until <= $1", parameter: at, rowsMax, at }
      const { rows, more } = await database.write((connection) => deleteSome(connection, due))
      const isDropped = !more && (await days.dropOne(at))
      return { rows, more: more || isDropped }
    },
    usage: () => database.usage(),
    async [Symbol.asyncDispose]() {},
  }
}

const none: NoBlob = { type: "none" }
const COLUMNS = "number, group_id, size, stored, deletion, until, kept_until"

/** What was admitted is not asked again when the transaction is run again. */
function admittedOnce(blob: NewBlob): NewBlob["admit"] {
  let isAdmitted = false
  return (group) => {
    if (isAdmitted) return undefined
    const refusal = blob.admit(group)
    isAdmitted = refusal === undefined
    return refusal
  }
}

async function create(
  connection: Connection,
  blob: NewBlob,
): Promise<StoredBlob | { readonly type: "idReused" } | Refusal> {
  const { id, groupId, size, deletion, until, wholeBefore } = blob
  // Its row is locked from here on: of two blobs for the last place, one gets it.
  const group = (await connection.get(
    `INSERT INTO blob_group (group_id, bytes, blobs) VALUES ($1, 0, 0)
     ON CONFLICT (group_id) DO UPDATE SET blobs = blob_group.blobs RETURNING bytes, blobs`,
    [groupId],
  ))!
  const present = await connection.get(`SELECT ${COLUMNS} FROM stored_blob WHERE id = $1`, [id])
  const refusal = present === undefined ? blob.admit({ bytes: group.bytes, blobs: Number(group.blobs) }) : undefined
  if (present !== undefined || refusal !== undefined) {
    await forgetEmpty(connection, [groupId])
    return refusal ?? repetition(present!, blob)
  }
  const made = await connection.run(
    `INSERT INTO stored_blob (id, group_id, size, deletion, until, kept_until) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (id) DO NOTHING`,
    [id, groupId, size, deletion, until, wholeBefore],
  )
  if (made === 0) {
    // At another gateway, for another group.
    await forgetEmpty(connection, [groupId])
    return { type: "idReused" }
  }
  await connection.run("UPDATE blob_group SET bytes = bytes + $1, blobs = blobs + 1 WHERE group_id = $2", [
    ...[size, groupId],
  ])
  return { type: "blob", stored: 0n, size, until }
}

function repetition(present: Row, { groupId, size, deletion, at }: NewBlob) {
  const isSame =
    equalBytes(present.group_id, groupId) && equalBytes(present.deletion, deletion) && present.size === size
  return isSame && present.kept_until > at ? stateOf(present) : ({ type: "idReused" } as const)
}

async function put(connection: Connection, chunk: NewChunk): ReturnType<BlobStore["put"]> {
  const blob = await keptBlob(connection, chunk.id, chunk.at, "FOR UPDATE")
  if (blob === undefined || !equalBytes(blob.group_id, chunk.groupId)) return none
  if (!fits(chunk, blob.size, BLOB_CHUNK_SIZE)) return { type: "misfit" }
  if (chunk.offset !== blob.stored) return stateOf(blob)
  const refusal = chunk.admit()
  if (refusal !== undefined) return refusal
  const day = dayOf(blob.until)
  const chunks = chunksOf(day)
  if (chunk.isRight !== undefined) {
    const before = await connection.all(
      `SELECT hash FROM ${chunks} WHERE day = $1 AND blob_number = $2 ORDER BY number`,
      [...[day, blob.number]],
    )
    if (!chunk.isRight(blob.size, [...before.map(({ hash }) => hash), chunk.hash])) {
      await deleteBlobs(connection, [blob])
      return { type: "wrongHash" }
    }
  }
  await connection.run(`INSERT INTO ${chunks} (day, blob_number, number, hash, bytes) VALUES ($1, $2, $3, $4, $5)`, [
    ...[day, blob.number, chunk.offset / BigInt(BLOB_CHUNK_SIZE)],
    ...[chunk.hash, chunk.bytes],
  ])
  const stored: bigint = blob.stored + BigInt(chunk.bytes.length)
  const keptUntil: bigint = chunk.isRight === undefined ? pausedUntil(chunk, blob) : blob.until
  await connection.run("UPDATE stored_blob SET stored = $1, kept_until = $2 WHERE number = $3", [
    ...[stored, keptUntil, blob.number],
  ])
  return stateOf({ ...blob, stored })
}

async function read(connection: Connection, { id, at, offset, length }: BlobRange): Promise<BlobPart | NoBlob> {
  const blob = await keptBlob(connection, id, at)
  if (blob === undefined || blob.stored !== blob.size) return none
  const asked = inChunk({ offset, length }, blob.size, BLOB_CHUNK_SIZE)
  const day = dayOf(blob.until)
  const chunk = await connection.get(
    `SELECT substring(bytes FROM $1::integer FOR $2::integer) AS bytes FROM ${chunksOf(day)}
     WHERE day = $3 AND blob_number = $4 AND number = $5`,
    [asked.start + 1, asked.length, day, blob.number, asked.number],
  )
  return { type: "part", size: blob.size, bytes: chunk?.bytes ?? new Uint8Array() }
}

/** How long one that is not whole is kept after a chunk. */
function pausedUntil({ wholeBefore }: NewChunk, { kept_until, until }: Row): bigint {
  const later: bigint = wholeBefore > kept_until ? wholeBefore : kept_until
  return later < until ? later : until
}

/** One that is kept no longer is none, also before a sweep has come to it. */
function keptBlob(connection: Connection, id: Uint8Array, at: bigint, lock: "" | "FOR UPDATE" = "") {
  return connection.get(`SELECT ${COLUMNS} FROM stored_blob WHERE id = $1 AND kept_until > $2 ${lock}`, [id, at])
}

interface Deleting {
  readonly where: string
  readonly parameter: Uint8Array | bigint
  readonly rowsMax: number
  /** Chunks of blobs that expire on this moment's day, or did before, are left to be dropped with it. */
  readonly at?: bigint
}

async function deleteSome(connection: Connection, { where, parameter, rowsMax, at }: Deleting): Promise<Swept> {
  const blobs = await connection.all(
    `SELECT ${COLUMNS} FROM stored_blob WHERE ${where} ORDER BY kept_until LIMIT $2 FOR UPDATE SKIP LOCKED`,
    [parameter, Math.min(rowsMax, BLOBS_AT_A_TIME)],
  )
  await deleteBlobs(connection, blobs, at === undefined ? undefined : dayOf(at))
  return { rows: blobs.length, more: blobs.length > 0 }
}

/** A large blob has hundreds of chunks, each of them a hundred rows to the database. */
const BLOBS_AT_A_TIME = 4

async function deleteBlobs(connection: Connection, blobs: readonly Row[], droppedSoon = -1n): Promise<void> {
  if (blobs.length === 0) return
  for (const { number, until } of blobs) {
    const day = dayOf(until)
    if (day <= droppedSoon) continue
    await connection.run(`DELETE FROM ${chunksOf(day)} WHERE day = $1 AND blob_number = $2`, [day, number])
  }
  await connection.run("DELETE FROM stored_blob WHERE number = ANY($1::bigint[])", [
    bigintArray(blobs.map(({ number }) => number)),
  ])
  // Always in the same order, so that no two transactions wait for each other.
  const sorted = [...blobs].sort((a, b) => Buffer.compare(a.group_id, b.group_id))
  for (const { group_id, size } of sorted) {
    await connection.run("UPDATE blob_group SET bytes = bytes - $1, blobs = blobs - 1 WHERE group_id = $2", [
      ...[size, group_id],
    ])
  }
  await forgetEmpty(
    connection,
    sorted.map(({ group_id }) => group_id),
  )
}

async function forgetEmpty(connection: Connection, groupIds: readonly Uint8Array[]): Promise<void> {
  for (const groupId of groupIds) {
    await connection.run("DELETE FROM blob_group WHERE group_id = $1 AND blobs <= 0", [groupId])
  }
}

function stateOf({ stored, size, until }: Row): StoredBlob {
  return { type: "blob", stored, size, until }
}
