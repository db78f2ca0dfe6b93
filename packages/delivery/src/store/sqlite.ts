import { equalBytes } from "@conclave/crypto"
import { type Entry, EntryKind } from "../api.js"
import { logChainHash, logChainStart, type Sha256 } from "../log-chain.js"
import type { Connection, Database, Row } from "./database.js"
import { kindOf } from "./kinds.js"
import { migrations } from "./schema.js"
import { releaseBlob, useBlob } from "./sqlite-blobs.js"
import { acknowledgeInbox, deliver, inboxHead, readInbox } from "./sqlite-inbox.js"
import { claimKeyPackage, publishKeyPackages, stockOf } from "./sqlite-key-packages.js"
import type { Appended, Head, LogPage, NewEntry, NewGroup, Page, Store, StoredGroupInfo } from "./store.js"

/** The store in one SQLite file. Takes the database over: disposing the store closes it. */
export function sqliteStore(database: Database, sha256: Sha256): Store {
  database.migrate("delivery", migrations)
  const read = async <T>(work: (connection: Connection) => T) => database.read(work)
  return {
    createGroup: (group) => database.write((connection) => createGroup(connection, group, sha256)),
    append: (entry) => database.write((connection) => append(connection, entry, sha256)),
    read: (page) => read((connection) => readLog(connection, page)),
    head: (groupId) => read((connection) => headOf(connection, groupId)),
    groupInfo: (groupId) => read((connection) => groupInfoOf(connection, groupId)),
    publishKeyPackages: (publication) => database.write((connection) => publishKeyPackages(connection, publication)),
    claimKeyPackage: (claim) => database.write((connection) => claimKeyPackage(connection, claim)),
    countKeyPackages: (device) => read((connection) => stockOf(connection, device)),
    inbox: (page) => read((connection) => readInbox(connection, page)),
    inboxHead: (deviceId) => read((connection) => inboxHead(connection, deviceId)),
    acknowledgeInbox: (deviceId, upTo) => database.write((connection) => acknowledgeInbox(connection, deviceId, upTo)),
    [Symbol.asyncDispose]: () => database.close(),
  }
}

function createGroup(connection: Connection, group: NewGroup, sha256: Sha256): "created" | "repeated" | "exists" {
  const present = connection.get("SELECT idem, request_hash FROM mls_group WHERE id = ?", [group.groupId])
  if (present !== undefined) {
    return equalBytes(present.idem, group.idempotencyId) && equalBytes(present.request_hash, group.requestHash)
      ? "repeated"
      : "exists"
  }
  const infoHash = useBlob(connection, group.groupInfo, sha256)
  const treeHash = group.ratchetTree === undefined ? null : useBlob(connection, group.ratchetTree, sha256)
  connection.run(
    `INSERT INTO mls_group (id, epoch, next_seq, head_hash, idem, request_hash, info_seq, info_hash, tree_hash, created_at)
     VALUES (?, 0, 1, ?, ?, ?, 0, ?, ?, ?)`,
    [
      group.groupId,
      logChainStart(sha256, group.groupId),
      group.idempotencyId,
      group.requestHash,
      infoHash,
      treeHash,
      group.at,
    ],
  )
  const { number } = connection.get("SELECT number FROM mls_group WHERE id = ?", [group.groupId])!
  registerAccess(connection, { group: number, epoch: 0n, key: group.accessKey, barrier: false })
  return "created"
}

function append(connection: Connection, entry: NewEntry, sha256: Sha256): Appended {
  const group = connection.get(
    "SELECT number, epoch, next_seq, head_hash, info_hash, tree_hash FROM mls_group WHERE id = ?",
    [entry.groupId],
  )
  if (group === undefined) return { type: "notFound" }
  const answered = connection.get(
    "SELECT request_hash, seq, epoch_behind, chain_hash FROM log WHERE group_number = ? AND idem = ?",
    [group.number, entry.idempotencyId],
  )
  if (answered !== undefined) {
    if (!equalBytes(answered.request_hash, entry.requestHash)) return { type: "idReused" }
    return { type: "accepted", seq: answered.seq, epoch: answered.epoch_behind, chainHash: answered.chain_hash }
  }
  return refusal(connection, entry, group) ?? accept(connection, entry, { group, sha256 })
}

function refusal(connection: Connection, entry: NewEntry, group: Row): Appended | undefined {
  const currentEpoch: bigint = group.epoch
  if (entry.epoch > currentEpoch) return { type: "epochAhead", currentEpoch }
  if (entry.kind === "application") {
    const oldestEpoch = currentEpoch > entry.pastEpochs ? currentEpoch - entry.pastEpochs : 0n
    if (entry.epoch < oldestEpoch) return { type: "epochTooOld", currentEpoch, oldestEpoch }
  } else if (entry.epoch < currentEpoch) {
    return { type: "stale", currentEpoch, headSeq: group.next_seq - 1n }
  }
  for (const deviceId of entry.commit?.recipients ?? []) {
    const { count } = connection.get("SELECT count(*) AS count FROM inbox WHERE device_id = ?", [deviceId])!
    if (count >= entry.commit!.inboxEntriesMax) return { type: "inboxFull" }
  }
  return undefined
}

interface Accepting {
  readonly group: Row
  readonly sha256: Sha256
}

function accept(connection: Connection, entry: NewEntry, { group, sha256 }: Accepting): Appended {
  const seq: bigint = group.next_seq
  const epochBehind: bigint = entry.kind === "commit" ? group.epoch + 1n : group.epoch
  const chainHash = logChainHash(sha256, group.head_hash, { ...entry, seq })
  // The compare-and-set: of all commits to an epoch, this changes a row for one.
  const changed = connection.run(
    "UPDATE mls_group SET epoch = ?, next_seq = next_seq + 1, head_hash = ? WHERE number = ? AND epoch = ?",
    [epochBehind, chainHash, group.number, group.epoch],
  )
  if (changed !== 1) throw new Error("the group changed within a transaction")
  connection.run(
    `INSERT INTO log (group_number, seq, kind, epoch, idem, request_hash, body, chain_hash, epoch_behind, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      group.number,
      seq,
      EntryKind.values[entry.kind],
      entry.epoch,
      entry.idempotencyId,
      entry.requestHash,
      entry.body,
      chainHash,
      epochBehind,
      entry.at,
    ],
  )
  if (entry.commit !== undefined) beginEpoch(connection, entry, { group, seq, epoch: epochBehind, sha256 })
  return { type: "accepted", seq, epoch: epochBehind, chainHash }
}

interface Beginning extends Accepting {
  readonly seq: bigint
  readonly epoch: bigint
}

function beginEpoch(connection: Connection, entry: NewEntry, { group, seq, epoch, sha256 }: Beginning): void {
  const { groupInfo, ratchetTree, accessKey, barrier, recipients, welcome } = entry.commit!
  const infoHash = useBlob(connection, groupInfo, sha256)
  const treeHash = ratchetTree === undefined ? null : useBlob(connection, ratchetTree, sha256)
  connection.run("UPDATE mls_group SET info_seq = ?, info_hash = ?, tree_hash = ? WHERE number = ?", [
    seq,
    infoHash,
    treeHash,
    group.number,
  ])
  releaseBlob(connection, group.info_hash)
  releaseBlob(connection, group.tree_hash)
  registerAccess(connection, { group: group.number, epoch, key: accessKey, barrier })
  for (const deviceId of recipients) {
    deliver(connection, deviceId, {
      kind: "welcome",
      groupId: entry.groupId,
      seq,
      bodyHash: useBlob(connection, welcome, sha256),
      treeHash: ratchetTree === undefined ? null : useBlob(connection, ratchetTree, sha256),
      at: entry.at,
    })
  }
}

interface Access {
  readonly group: bigint
  readonly epoch: bigint
  readonly key: Uint8Array
  readonly barrier: boolean
}

function registerAccess(connection: Connection, { group, epoch, key, barrier }: Access): void {
  connection.run("INSERT INTO access (group_number, epoch, public_key, barrier) VALUES (?, ?, ?, ?)", [
    group,
    epoch,
    key,
    barrier ? 1 : 0,
  ])
}

function readLog(connection: Connection, page: Page & { readonly groupId: Uint8Array }): LogPage | undefined {
  const group = connection.get("SELECT number, next_seq, oldest_seq FROM mls_group WHERE id = ?", [page.groupId])
  if (group === undefined) return undefined
  const entries: Entry[] = []
  let size = 0
  let after = page.after
  // A few rows at a time: a page must not load a thousand long bodies to keep two of them.
  while (entries.length < page.limit && size < page.sizeMax) {
    const rows = connection.all(
      `SELECT seq, kind, epoch, body, chain_hash, at FROM log
       WHERE group_number = ? AND seq > ? ORDER BY seq LIMIT ?`,
      [group.number, after, Math.min(page.limit - entries.length, ROWS_AT_A_TIME)],
    )
    for (const row of rows) {
      size += row.body.length
      if (entries.length > 0 && size > page.sizeMax) break
      entries.push(entryOf(row))
      after = row.seq
    }
    if (rows.length < ROWS_AT_A_TIME) break
  }
  return { entries, headSeq: group.next_seq - 1n, oldestSeq: group.oldest_seq }
}

const ROWS_AT_A_TIME = 32

function entryOf(row: Row): Entry {
  const { seq, epoch, body, at } = row
  return { seq, kind: kindOf(EntryKind.values, row.kind), epoch, body, chainHash: row.chain_hash, at }
}

function headOf(connection: Connection, groupId: Uint8Array): Head | undefined {
  const row = connection.get("SELECT epoch, next_seq, head_hash FROM mls_group WHERE id = ?", [groupId])
  return row && { epoch: row.epoch, headSeq: row.next_seq - 1n, chainHash: row.head_hash }
}

function groupInfoOf(connection: Connection, groupId: Uint8Array): StoredGroupInfo | undefined {
  const row = connection.get(
    `SELECT epoch, info_seq, info.body AS info, tree.body AS tree FROM mls_group
     JOIN blob AS info ON info.hash = info_hash LEFT JOIN blob AS tree ON tree.hash = tree_hash WHERE id = ?`,
    [groupId],
  )
  return row && { epoch: row.epoch, seq: row.info_seq, groupInfo: row.info, ratchetTree: row.tree ?? undefined }
}
