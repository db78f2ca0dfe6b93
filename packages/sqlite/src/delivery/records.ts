import { decode, vector } from "@conclave/codec"
import { Interval } from "@conclave/contracts/access"
import { DeviceId, InboxKind, LogEntryKind } from "@conclave/contracts/delivery"
import { Handover } from "@conclave/contracts/heads"
import {
  type DeliveryRecord,
  type DeliverySource,
  type GroupHead,
  GroupPolicy,
  noPolicy,
} from "@conclave/delivery/store"
import type { Connection, Row } from "../database.js"
import { pagesOf } from "../pages.js"
import { kindOf } from "./kinds.js"

/** What the Delivery Service has in a transaction of the caller's. */
export function deliverySource(connection: Connection): DeliverySource {
  return {
    async *records() {
      yield* records(connection)
    },
    async counts() {
      const count = (from: string) => Number(connection.get(`SELECT count(*) AS n FROM ${from}`)!.n)
      return {
        identity: count("identity"),
        formerGroup: count("former_group"),
        device: count("device") + count(`suspended_device WHERE ${WITHOUT_DEVICE}`),
        keyPackage: count("key_package"),
        group: count(`mls_group WHERE ${OPEN}`),
        interval: count(`${IN_GROUP("access_interval")} WHERE ${OPEN}`),
        entry: count(`${IN_GROUP("log")} WHERE ${OPEN}`),
        welcome: count(`blob WHERE ${REFERRED_TO}`),
        knock: count("knock"),
        answer: count("answer"),
        inboxEntry: count("inbox"),
        action: count("action"),
      }
    },
    async *heads() {
      const heads = { from: "mls_group", where: OPEN, key: ["id"], start: [new Uint8Array()] }
      for (const rows of pagesOf(connection, { columns: HEAD, ...heads })) yield rows.map(headOf)
    },
  }
}

/** The operator has closed the others: they wait to be deleted. */
const OPEN = "mls_group.last_at >= 0"
const IN_GROUP = (table: string) => `${table} JOIN mls_group ON mls_group.number = ${table}.group_number`
const WITHOUT_DEVICE = "NOT EXISTS (SELECT 1 FROM device WHERE device.id = suspended_device.id)"
const REFERRED_TO = `(EXISTS (SELECT 1 FROM inbox WHERE body_hash = blob.hash)
  OR blob.hash IN (SELECT welcome_hash FROM answer))`

const HEAD = `id, next_seq, (SELECT count(*) FROM log WHERE group_number = mls_group.number) AS entries,
  coalesce((SELECT chain_hash FROM log WHERE group_number = mls_group.number AND seq = next_seq - 1), head_hash) AS hash`

const headOf = ({ id, next_seq, hash, entries }: Row): GroupHead => {
  return { groupId: id, headSeq: next_seq - 1n, headHash: hash, entries: Number(entries) }
}

const Handovers = vector(Handover)
const DeviceIds = vector(DeviceId)
const NOTHING = new Uint8Array()

/** Of each type, a name has a row of a table, what it is read from, and the record that it is. */
function* records(connection: Connection): Generator<readonly DeliveryRecord[]> {
  const { seed, pass_secret, incarnation, handovers } = connection.get("SELECT * FROM identity")!
  yield [{ type: "identity", seed, passSecret: pass_secret, incarnation, handovers: decode(Handovers, handovers) }]

  const former = { columns: "id", from: "former_group", key: ["id"], start: [NOTHING] }
  for (const rows of pagesOf(connection, former)) yield rows.map(({ id }) => ({ type: "formerGroup", idHash: id }))

  yield* devices(connection)

  const keyPackages = { columns: "*", from: "key_package", key: ["number"], start: [-1n], size: "length(body)" }
  for (const rows of pagesOf(connection, keyPackages)) yield rows.map(keyPackageOf)

  const policy = "(SELECT group_policy.policy FROM group_policy WHERE group_number = number) AS asked_policy"
  const groups = { columns: `*, ${policy}`, from: "mls_group", where: OPEN, key: ["number"], start: [-1n] }
  for (const rows of pagesOf(connection, groups)) yield rows.map(groupOf)

  const ofGroup = (table: string) => ({
    columns: `${table}.*, mls_group.id AS group_id`,
    from: IN_GROUP(table),
    where: OPEN,
  })
  const intervals = { ...ofGroup("access_interval"), key: ["group_number", "seq"], start: [-1n, -1n] }
  for (const rows of pagesOf(connection, intervals)) yield rows.map(intervalOf)

  const log = { ...ofGroup("log"), key: ["log.rowid"], start: [-1n], size: "length(log.body)" }
  for (const rows of pagesOf(connection, log)) yield rows.map(entryOf)

  const welcomes = { columns: "hash, body", from: "blob", where: REFERRED_TO, key: ["hash"], start: [NOTHING] }
  for (const rows of pagesOf(connection, { ...welcomes, size: "length(body)" })) {
    yield rows.map(({ hash, body }) => ({ type: "welcome", hash, welcome: body }))
  }

  const knocks = { ...ofGroup("knock"), key: ["knock.number"], start: [-1n], size: "length(sealed)" }
  for (const rows of pagesOf(connection, knocks)) yield rows.map(knockOf)

  const answers = { ...ofGroup("answer"), key: ["answer.number"], start: [-1n] }
  for (const rows of pagesOf(connection, answers)) yield rows.map(answerOf)

  const inbox = { columns: "*", from: "inbox", key: ["number"], start: [-1n] }
  for (const rows of pagesOf(connection, inbox)) yield rows.map(inboxEntryOf)

  const actions = { columns: "*", from: "action", key: ["number"], start: [-1n] }
  for (const rows of pagesOf(connection, actions)) {
    yield rows.map(({ at, user, did, what, reason }) => ({ type: "action", at: Number(at), user, did, what, reason }))
  }
}

function* devices(connection: Connection): Generator<readonly DeliveryRecord[]> {
  const known = {
    columns: "device.id, signature_key, inbox_head, reason",
    from: "device LEFT JOIN suspended_device ON suspended_device.id = device.id",
    key: ["device.id"],
    start: [NOTHING],
  }
  const suspended = {
    columns: "id, NULL AS signature_key, 0 AS inbox_head, reason",
    from: "suspended_device",
    where: WITHOUT_DEVICE,
    key: ["id"],
    start: [NOTHING],
  }
  for (const paging of [known, suspended]) {
    for (const rows of pagesOf(connection, paging)) {
      yield rows.map(({ id, signature_key, inbox_head, reason }) => {
        const signatureKey = signature_key ?? undefined
        return { type: "device", deviceId: id, signatureKey, inboxHead: inbox_head, suspended: reason ?? undefined }
      })
    }
  }
}

const keyPackageOf = (row: Row): DeliveryRecord => ({
  type: "keyPackage",
  ref: row.ref,
  deviceId: row.device_id,
  cipherSuite: Number(row.cipher_suite),
  lastResort: row.last_resort === 1n,
  notAfter: row.not_after,
  keyPackage: row.body ?? undefined,
})

const groupOf = (row: Row): DeliveryRecord => ({
  type: "group",
  groupId: row.id,
  idempotencyId: row.idem,
  requestHash: row.request_hash,
  headSeq: row.next_seq - 1n,
  headHash: row.head_hash,
  oldestSeq: row.oldest_seq,
  lastCommitSeq: row.last_commit_seq,
  beside: row.beside,
  bytes: row.bytes,
  budgets: {
    appends: row.appends_full_at,
    proposals: row.proposals_full_at,
    commits: row.commits_full_at,
    knocks: row.knocks_full_at,
  },
  lastAt: row.last_at,
  policy: row.asked_policy === null ? noPolicy : decode(GroupPolicy, row.asked_policy),
})

const intervalOf = (row: Row): DeliveryRecord => ({
  type: "interval",
  groupId: row.group_id,
  seq: row.seq,
  accessKey: row.access_key,
  removes: row.removes === 1n,
  chainHash: row.chain_hash,
  at: row.at,
})

const entryOf = (row: Row): DeliveryRecord => ({
  type: "entry",
  groupId: row.group_id,
  seq: row.seq,
  kind: kindOf(LogEntryKind.values, row.kind),
  epoch: row.epoch,
  idempotencyId: row.idem,
  requestHash: row.request_hash,
  body: row.body,
  begins: row.begins === null ? undefined : decode(Interval, row.begins),
  chainHash: row.chain_hash,
  undelivered: row.undelivered === null ? [] : decode(DeviceIds, row.undelivered),
  at: row.at,
})

const knockOf = (row: Row): DeliveryRecord => ({
  type: "knock",
  groupId: row.group_id,
  id: row.id,
  accessKey: row.access_key,
  sealed: row.sealed,
  sender: row.sender,
  beside: row.beside,
  at: row.at,
})

const answerOf = (row: Row): DeliveryRecord => ({
  type: "answer",
  groupId: row.group_id,
  knockId: row.knock_id,
  accessKey: row.access_key,
  seq: row.seq,
  sealedKey: row.sealed_key,
  welcomeHash: row.welcome_hash,
  beside: row.beside,
  at: row.at,
})

const inboxEntryOf = (row: Row): DeliveryRecord => ({
  type: "inboxEntry",
  deviceId: row.device_id,
  n: row.n,
  kind: kindOf(InboxKind.values, row.kind),
  groupId: row.group_id,
  seq: row.seq,
  welcomeHash: row.body_hash ?? undefined,
  sender: row.sender,
  at: row.at,
})
