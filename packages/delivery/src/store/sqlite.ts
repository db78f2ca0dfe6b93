import { type Entry, EntryKind, type InboxEntry, InboxKind } from "../api.js"
import { logChainHash, logChainStart, type Sha256 } from "../log-chain.js"
import type { Connection, Database, Row } from "./database.js"
import { migrations } from "./schema.js"
import { claimKeyPackage, publishKeyPackages, stockOf } from "./sqlite-key-packages.js"
import type { Appended, Head, InboxPage, LogPage, NewEntry, NewGroup, Page, Store, StoredGroupInfo } from "./store.js"

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

// --- Groups and their logs -------------------------------------------------------------------------------------------

function createGroup(connection: Connection, group: NewGroup, sha256: Sha256): "created" | "repeated" | "exists" {
  const present = connection.get("SELECT idem, request_hash FROM mls_group WHERE id = ?", [group.groupId])
  if (present !== undefined) {
    return same(present.idem, group.idempotencyId) && same(present.request_hash, group.requestHash)
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
    if (!same(answered.request_hash, entry.requestHash)) return { type: "idReused" }
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

function kindOf<Name extends string>(values: Readonly<Record<Name, number>>, number: bigint): Name {
  const name = (Object.keys(values) as Name[]).find((it) => values[it] === Number(number))
  if (name === undefined) throw new Error(`the database has a kind ${number} that is none`)
  return name
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

// --- Inboxes ---------------------------------------------------------------------------------------------------------

export interface Delivery {
  readonly kind: InboxEntry["kind"]
  readonly groupId: Uint8Array
  readonly seq: bigint
  readonly bodyHash: Uint8Array | null
  readonly treeHash: Uint8Array | null
  readonly at: bigint
}

/** Puts an entry into the inbox of a device. */
export function deliver(connection: Connection, deviceId: Uint8Array, entry: Delivery): void {
  connection.run(
    "INSERT INTO device (id, inbox_head) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET inbox_head = inbox_head + 1",
    [deviceId],
  )
  connection.run(
    `INSERT INTO inbox (device_id, n, kind, group_id, seq, body_hash, tree_hash, at)
     VALUES (?, (SELECT inbox_head FROM device WHERE id = ?), ?, ?, ?, ?, ?, ?)`,
    [
      deviceId,
      deviceId,
      InboxKind.values[entry.kind],
      entry.groupId,
      entry.seq,
      entry.bodyHash,
      entry.treeHash,
      entry.at,
    ],
  )
}

function readInbox(connection: Connection, page: Page & { readonly deviceId: Uint8Array }): InboxPage {
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

function inboxHead(connection: Connection, deviceId: Uint8Array): bigint {
  return connection.get("SELECT inbox_head FROM device WHERE id = ?", [deviceId])?.inbox_head ?? 0n
}

function acknowledgeInbox(connection: Connection, deviceId: Uint8Array, upTo: bigint): void {
  const rows = connection.all("SELECT body_hash, tree_hash FROM inbox WHERE device_id = ? AND n <= ?", [deviceId, upTo])
  connection.run("DELETE FROM inbox WHERE device_id = ? AND n <= ?", [deviceId, upTo])
  for (const row of rows) {
    releaseBlob(connection, row.body_hash)
    releaseBlob(connection, row.tree_hash)
  }
}

// --- Bodies that are stored once -------------------------------------------------------------------------------------

function useBlob(connection: Connection, body: Uint8Array, sha256: Sha256): Uint8Array {
  const hash = sha256(body)
  const used = connection.run("UPDATE blob SET uses = uses + 1 WHERE hash = ?", [hash])
  if (used === 0) connection.run("INSERT INTO blob (hash, body, uses) VALUES (?, ?, 1)", [hash, body])
  return hash
}

function releaseBlob(connection: Connection, hash: Uint8Array | null): void {
  if (hash === null) return
  connection.run("UPDATE blob SET uses = uses - 1 WHERE hash = ?", [hash])
  connection.run("DELETE FROM blob WHERE hash = ? AND uses = 0", [hash])
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, index) => octet === b[index])
}
