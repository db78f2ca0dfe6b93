import { randomBytes } from "node:crypto"
import { decode, encode, vector } from "@conclave/codec"
import { Interval } from "@conclave/contracts/access"
import { DeviceId, type Entry, EntryKind, LogEntryKind } from "@conclave/contracts/delivery"
import { logChainHash, logChainStart, type Sha256 } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import {
  type Appended,
  type Budgets,
  ENTRY_OVERHEAD,
  type Head,
  type LogPage,
  type NewEntry,
  type NewGroup,
  type Operated,
  type Page,
  type Refusal,
  type Refused,
  type Shown,
  type Store,
} from "@conclave/delivery/store"
import type { Connection, Database, Row } from "../database.js"
import { beginInterval, groupOf, isRegistered, permitted, standingIn, standingOf, standingsOf } from "./access.js"
import { answerTo, besideOf, keepAnswers, leaveKnock, waitingKnocks } from "./beside.js"
import { useBlob } from "./blobs.js"
import { identityOf, raiseIncarnation } from "./identity.js"
import { acknowledgeInbox, deliver, inboxHead, makeRoom, readInbox } from "./inbox.js"
import { claimKeyPackage, publishKeyPackages, stockOf } from "./key-packages.js"
import { kindOf } from "./kinds.js"
import { newsSince } from "./news.js"
import { closeGroup, isSuspended, requireActive, resumeDevice, suspendDevice } from "./operated.js"
import { changePolicy, policyOf } from "./policies.js"
import { migrations } from "./schema.js"
import { type Sweeping, sweep } from "./sweep.js"
import { admission, budgetValues, SET_BUDGETS } from "./use.js"

/** The store in one SQLite file. Takes the database over: disposing the store closes it. */
export function deliveryStore(database: Database, sha256: Sha256): Store & Operated {
  database.migrate("delivery", migrations)
  const sweeping: Sweeping = { messages: 0n, log: 0n, groups: 0n, version: undefined }
  const read = async <T>(work: (connection: Connection) => T) => database.read(work)
  return {
    createGroup: (group) => database.write((connection) => createGroup(connection, group, sha256)),
    append: (entry) => database.write((connection) => append(connection, entry, sha256), sizeOf(entry)),
    read: (page) => read((connection) => readLog(connection, page)),
    head: (shown) => read((connection) => headOf(connection, shown)),
    standing: (shown) => read((connection) => standingOf(connection, shown)),
    standings: (shown) => read((connection) => standingsOf(connection, shown)),
    knock: (knock) => database.write((connection) => leaveKnock(connection, knock), knock.sealed.length),
    knocks: (asked) => read((connection) => waitingKnocks(connection, asked)),
    beside: (asked) => read((connection) => besideOf(connection, asked)),
    answer: (asked) => read((connection) => answerTo(connection, asked)),
    policy: (shown) => read((connection) => policyOf(connection, shown)),
    changePolicy: (change) => database.write((connection) => changePolicy(connection, change)),
    identity: (made) => database.write((connection) => identityOf(connection, made)),
    raiseIncarnation: (handover) => database.write((connection) => raiseIncarnation(connection, handover)),
    publishKeyPackages: (publication) =>
      database.write((connection) => {
        requireActive(connection, publication.deviceId)
        return publishKeyPackages(connection, publication)
      }),
    claimKeyPackage: (claim) => database.write((connection) => claimKeyPackage(connection, claim)),
    countKeyPackages: (device) =>
      read((connection) => {
        requireActive(connection, device.deviceId)
        return stockOf(connection, device)
      }),
    inbox: (page) =>
      read((connection) => {
        requireActive(connection, page.deviceId)
        return readInbox(connection, page)
      }),
    inboxHead: (deviceId) => read((connection) => inboxHead(connection, deviceId)),
    acknowledgeInbox: (deviceId, upTo) =>
      database.write((connection) => {
        requireActive(connection, deviceId)
        acknowledgeInbox(connection, deviceId, upTo)
      }),
    news: (mark) => read((connection) => newsSince(connection, mark)),
    sweep: (horizons) => sweep(database, horizons, { sweeping, sha256 }),
    usage: () => database.usage(),
    suspend: (deviceId, reason) => database.write((connection) => suspendDevice(connection, deviceId, reason)),
    resume: (deviceId) => database.write((connection) => resumeDevice(connection, deviceId)),
    async closeGroup(groupId) {
      const isClosed = await closeGroup(database, { groupId, asId: randomBytes(32), sha256 })
      sweeping.version = undefined
      return isClosed
    },
    [Symbol.asyncDispose]: () => database.close(),
  }
}

const sizeOf = ({ body, commit }: NewEntry) =>
  body.length + (commit === undefined ? 0 : commit.welcome.length + (commit.answers?.welcome.length ?? 0))

function createGroup(
  connection: Connection,
  group: NewGroup,
  sha256: Sha256,
): "created" | "repeated" | "exists" | Refusal {
  const present = connection.get("SELECT idem, request_hash FROM mls_group WHERE id = ?", [group.groupId])
  if (present !== undefined) {
    return equalBytes(present.idem, group.idempotencyId) && equalBytes(present.request_hash, group.requestHash)
      ? "repeated"
      : "exists"
  }
  if (connection.get("SELECT 1 FROM former_group WHERE id = ?", [sha256(group.groupId)]) !== undefined) return "exists"
  const refusal = group.admit()
  if (refusal !== undefined) return refusal
  const chainHash = logChainStart(sha256, group.groupId)
  connection.run(
    `INSERT INTO mls_group (id, next_seq, head_hash, idem, request_hash, created_at, last_at) VALUES (?, 1, ?, ?, ?, ?, ?)`,
    [group.groupId, chainHash, group.idempotencyId, group.requestHash, group.at, group.at],
  )
  const { number } = connection.get("SELECT number FROM mls_group WHERE id = ?", [group.groupId])!
  const interval = { accessKey: group.accessKey, removes: false }
  beginInterval(connection, number, { ...interval, seq: 0n, chainHash, at: group.at })
  return "created"
}

function append(connection: Connection, entry: NewEntry, sha256: Sha256): Appended {
  const group = groupOf(connection, entry.groupId)
  if (group === undefined) return { type: "notFound" }
  const answer =
    repetition(connection, entry, group) ??
    entry.permit(standingIn(connection, group, entry.key)) ??
    staleness(connection, entry, group) ??
    keyReuse(connection, entry, group)
  if (answer !== undefined) return answer
  const admitted = admission(group, entry)
  return "refusal" in admitted ? admitted.refusal : accept(connection, entry, { ...admitted, group, sha256 })
}

function repetition(connection: Connection, entry: NewEntry, group: Row): Appended | undefined {
  const answered = connection.get(
    "SELECT request_hash, seq, chain_hash, undelivered FROM log WHERE group_number = ? AND idem = ?",
    [group.number, entry.idempotencyId],
  )
  if (answered === undefined) return undefined
  if (!equalBytes(answered.request_hash, entry.requestHash)) return { type: "idReused" }
  const undelivered = answered.undelivered === null ? [] : decode(DeviceIds, answered.undelivered)
  return { type: "accepted", seq: answered.seq, chainHash: answered.chain_hash, undelivered }
}

function staleness(connection: Connection, entry: NewEntry, group: Row): Appended | undefined {
  if (!isStale(connection, entry, group)) return undefined
  return { type: "stale", lastCommitSeq: group.last_commit_seq, headSeq: group.next_seq - 1n }
}

function isStale(connection: Connection, { kind, after, pastCommitsMax }: NewEntry, group: Row): boolean {
  if (after === group.last_commit_seq) return false
  if (kind !== "application" || after > group.last_commit_seq) return true
  const unread = connection.get(
    "SELECT seq FROM log WHERE group_number = ? AND kind = 3 ORDER BY seq DESC LIMIT 1 OFFSET ?",
    [group.number, pastCommitsMax],
  )
  // Where commits have expired, their number is not known: the author reads, and is told that.
  return unread === undefined ? after + 1n < group.oldest_seq : unread.seq > after
}

function keyReuse(connection: Connection, { commit }: NewEntry, group: Row): Appended | undefined {
  if (commit?.begins === undefined) return undefined
  return isRegistered(connection, group.number, commit.begins.accessKey) ? { type: "keyReused" } : undefined
}

interface Accepting {
  readonly group: Row
  readonly budgets: Budgets
  readonly sha256: Sha256
}

function accept(connection: Connection, entry: NewEntry, { group, budgets, sha256 }: Accepting): Appended {
  const seq: bigint = group.next_seq
  const begins = entry.commit?.begins
  const { kind, epoch, body } = entry
  const chainHash = logChainHash(sha256, group.head_hash, { seq, kind, epoch, body, begins })
  const lastCommitSeq = entry.kind === "commit" ? seq : group.last_commit_seq
  // The compare-and-set: of all entries that would have this seq, one changes a row.
  const changed = connection.run(
    `UPDATE mls_group SET next_seq = next_seq + 1, last_commit_seq = ?, head_hash = ?, bytes = bytes + ?, last_at = ?,
       ${SET_BUDGETS} WHERE number = ? AND next_seq = ?`,
    [lastCommitSeq, chainHash, body.length + ENTRY_OVERHEAD, entry.at, ...budgetValues(budgets), group.number, seq],
  )
  if (changed !== 1) throw new Error("the group changed within a transaction")
  if (begins !== undefined) {
    beginInterval(connection, group.number, { ...begins, seq, chainHash, at: entry.at })
  }
  const undelivered = entry.commit === undefined ? [] : keepCommitParts(connection, entry, { group, seq, sha256 })
  connection.run(
    `INSERT INTO log (group_number, seq, kind, epoch, idem, request_hash, body, begins, chain_hash, undelivered, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      group.number,
      seq,
      EntryKind.values[kind],
      epoch,
      entry.idempotencyId,
      entry.requestHash,
      body,
      begins === undefined ? null : encode(Interval, begins),
      chainHash,
      undelivered.length === 0 ? null : encode(DeviceIds, undelivered),
      entry.at,
    ],
  )
  return { type: "accepted", seq, chainHash, undelivered }
}

const DeviceIds = vector(DeviceId)

interface Committing extends Omit<Accepting, "budgets"> {
  readonly seq: bigint
}

/** Returns the recipients that were not served. */
function keepCommitParts(connection: Connection, entry: NewEntry, { group, seq, sha256 }: Committing): Uint8Array[] {
  const commit = entry.commit!
  keepAnswers(connection, { groupNumber: group.number, seq, at: entry.at, commit, sha256 })
  const undelivered = [...commit.unserved]
  for (const deviceId of commit.recipients) {
    if (isSuspended(connection, deviceId) || !commit.mayDeliver(deviceId)) {
      undelivered.push(deviceId)
      continue
    }
    makeRoom(connection, deviceId, { ...commit, groupId: entry.groupId })
    deliver(connection, deviceId, {
      kind: "welcome",
      groupId: entry.groupId,
      seq,
      bodyHash: useBlob(connection, commit.welcome, sha256),
      sender: commit.sender,
      at: entry.at,
    })
  }
  return undelivered
}

function readLog(connection: Connection, page: Page & Shown): LogPage | Refused {
  const found = permitted(connection, page)
  if (found.type !== "permitted") return found
  const { group, standing } = found
  const entries: Entry[] = []
  let size = 0
  let after = page.after
  // A few rows at a time: a page must not load a thousand long bodies to keep two of them.
  while (after < standing.headSeq && entries.length < page.limit && size < page.sizeMax) {
    const rows = connection.all(
      `SELECT seq, kind, epoch, body, begins, chain_hash, at FROM log
       WHERE group_number = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
      [group.number, after, standing.headSeq, Math.min(page.limit - entries.length, ROWS_AT_A_TIME)],
    )
    for (const row of rows) {
      size += row.body.length
      if (entries.length > 0 && size > page.sizeMax) break
      entries.push(entryOf(row))
      after = row.seq
    }
    if (rows.length < ROWS_AT_A_TIME) break
  }
  return { type: "page", entries, headSeq: standing.headSeq, oldestSeq: group.oldest_seq, standing }
}

const ROWS_AT_A_TIME = 32

function entryOf(row: Row): Entry {
  const { seq, epoch, body, at } = row
  const begins = row.begins === null ? undefined : decode(Interval, row.begins)
  return { seq, kind: kindOf(LogEntryKind.values, row.kind), epoch, body, begins, chainHash: row.chain_hash, at }
}

function headOf(connection: Connection, shown: Shown): Head | Refused {
  const found = permitted(connection, shown)
  if (found.type !== "permitted") return found
  const { group, standing } = found
  const { headSeq, lastCommitSeq, reach } = standing
  if (reach === undefined) {
    const { head_hash } = connection.get("SELECT head_hash FROM mls_group WHERE number = ?", [group.number])!
    return { type: "head", headSeq, lastCommitSeq, chainHash: head_hash }
  }
  const { chain_hash } = connection.get("SELECT chain_hash FROM access_interval WHERE group_number = ? AND seq = ?", [
    group.number,
    reach,
  ])!
  return { type: "head", headSeq, lastCommitSeq, chainHash: chain_hash }
}
