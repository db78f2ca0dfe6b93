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
    `INSERT INTO mls_group (id, next_seq, head_hash, idem, request_hash, info_seq, info_hash, tree_hash, created_at)
     VALUES (?, 1, ?, ?, ?, 0, ?, ?, ?)`,
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
  return "created"
}

function append(connection: Connection, entry: NewEntry, sha256: Sha256): Appended {
  const group = connection.get(
    "SELECT number, next_seq, last_commit_seq, head_hash, info_hash, tree_hash FROM mls_group WHERE id = ?",
    [entry.groupId],
  )
  if (group === undefined) return { type: "notFound" }
  const answered = connection.get("SELECT request_hash, seq, chain_hash FROM log WHERE group_number = ? AND idem = ?", [
    group.number,
    entry.idempotencyId,
  ])
  if (answered !== undefined) {
    if (!equalBytes(answered.request_hash, entry.requestHash)) return { type: "idReused" }
    return { type: "accepted", seq: answered.seq, chainHash: answered.chain_hash }
  }
  return refusal(connection, entry, group) ?? accept(connection, entry, { group, sha256 })
}

function refusal(connection: Connection, entry: NewEntry, group: Row): Appended | undefined {
  if (isStale(connection, entry, group)) {
    return { type: "stale", lastCommitSeq: group.last_commit_seq, headSeq: group.next_seq - 1n }
  }
  for (const deviceId of entry.commit?.recipients ?? []) {
    const { count } = connection.get("SELECT count(*) AS count FROM inbox WHERE device_id = ?", [deviceId])!
    if (count >= entry.commit!.inboxEntriesMax) return { type: "inboxFull" }
  }
  return undefined
}

function isStale(connection: Connection, { kind, after, pastCommitsMax }: NewEntry, group: Row): boolean {
  if (after === group.last_commit_seq) return false
  if (kind !== "application" || after > group.last_commit_seq) return true
  const unread = connection.get(
    "SELECT seq FROM log WHERE group_number = ? AND kind = 3 ORDER BY seq DESC LIMIT 1 OFFSET ?",
    [group.number, pastCommitsMax],
  )
  return unread !== undefined && unread.seq > after
}

interface Accepting {
  readonly group: Row
  readonly sha256: Sha256
}

function accept(connection: Connection, entry: NewEntry, { group, sha256 }: Accepting): Appended {
  const seq: bigint = group.next_seq
  const chainHash = logChainHash(sha256, group.head_hash, { ...entry, seq })
  const lastCommitSeq = entry.kind === "commit" ? seq : group.last_commit_seq
  // The compare-and-set: of all entries that would have this seq, one changes a row.
  const changed = connection.run(
    "UPDATE mls_group SET next_seq = next_seq + 1, last_commit_seq = ?, head_hash = ? WHERE number = ? AND next_seq = ?",
    [lastCommitSeq, chainHash, group.number, seq],
  )
  if (changed !== 1) throw new Error("the group changed within a transaction")
  connection.run(
    `INSERT INTO log (group_number, seq, kind, epoch, idem, request_hash, body, chain_hash, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      group.number,
      seq,
      EntryKind.values[entry.kind],
      entry.epoch,
      entry.idempotencyId,
      entry.requestHash,
      entry.body,
      chainHash,
      entry.at,
    ],
  )
  if (entry.commit !== undefined) keepCommitParts(connection, entry, { group, seq, sha256 })
  return { type: "accepted", seq, chainHash }
}

interface Committing extends Accepting {
  readonly seq: bigint
}

function keepCommitParts(connection: Connection, entry: NewEntry, { group, seq, sha256 }: Committing): void {
  const { groupInfo, ratchetTree, recipients, welcome } = entry.commit!
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
  const row = connection.get("SELECT next_seq, last_commit_seq, head_hash FROM mls_group WHERE id = ?", [groupId])
  return row && { headSeq: row.next_seq - 1n, lastCommitSeq: row.last_commit_seq, chainHash: row.head_hash }
}

function groupInfoOf(connection: Connection, groupId: Uint8Array): StoredGroupInfo | undefined {
  const row = connection.get(
    `SELECT info_seq, info.body AS info, tree.body AS tree FROM mls_group
     JOIN blob AS info ON info.hash = info_hash LEFT JOIN blob AS tree ON tree.hash = tree_hash WHERE id = ?`,
    [groupId],
  )
  return row && { seq: row.info_seq, groupInfo: row.info, ratchetTree: row.tree ?? undefined }
}
