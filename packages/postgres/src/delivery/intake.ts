import { encode, vector } from "@conclave/codec"
import { Interval } from "@conclave/contracts/access"
import { InboxKind, LogEntryKind } from "@conclave/contracts/delivery"
import { Handover } from "@conclave/contracts/heads"
import type { Sha256 } from "@conclave/contracts/log-chain"
import {
  type DeliveryIntake,
  type DeliveryRecord,
  type DeliveryRecordOf,
  type EntryRecord,
  type GroupHead,
  GroupPolicy,
} from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { bigintArray, booleanArray, bytesArray, doubleArray, integerArray, type Row, textArray } from "../values.js"
import { keepAction } from "./actions.js"
import { DeviceIds } from "./device-ids.js"
import type { Partitions } from "./partitions.js"
import { APPLICATION } from "./sizes.js"

interface Taking {
  readonly partitions: Partitions
  readonly sha256: Sha256
}

/** Takes over what another store has, some records to a transaction: nobody else uses the tables meanwhile. */
export function deliveryIntake(database: Database, { partitions, sha256 }: Taking): DeliveryIntake {
  return {
    async take(records) {
      const [first] = records
      if (first === undefined) return
      if (first.type === "entry") {
        const messages = (records as readonly EntryRecord[]).filter(({ kind }) => kind === "application")
        await partitions.make(messages.map(({ at }) => at))
      }
      const taken = await database.write((connection) => take(connection, records, sha256))
      // A record that refers to a group that did not come would be left out by the join.
      if (taken !== records.length) throw new Error(`${records.length - taken} records (${first.type}) have no group`)
    },
    counts: () => database.read(countsIn),
    async *heads() {
      for (let after: Uint8Array = new Uint8Array(); ; ) {
        const rows = await database.look((connection) => connection.all(HEADS, [after]))
        if (rows.length === 0) return
        yield rows.map(headOf)
        after = rows.at(-1)!.id
      }
    },
  }
}

const HEADS = `
  SELECT id, next_seq, (SELECT count(*)::integer FROM log WHERE group_number = mls_group.number) AS entries,
    coalesce((SELECT chain_hash FROM log WHERE group_number = mls_group.number AND seq = next_seq - 1), head_hash) AS hash
  FROM mls_group WHERE id > $1 ORDER BY id LIMIT 1000`

const headOf = ({ id, next_seq, hash, entries }: Row): GroupHead => {
  return { groupId: id, headSeq: next_seq - 1n, headHash: hash, entries }
}

/** The table of each type. */
const TABLES: Readonly<Record<DeliveryRecord["type"], string>> = {
  identity: "identity",
  formerGroup: "former_group",
  device: "device",
  keyPackage: "key_package",
  group: "mls_group",
  interval: "access_interval",
  entry: "log",
  welcome: "blob",
  knock: "knock",
  answer: "answer",
  inboxEntry: "inbox",
  action: "action",
}

/** All that a service has filled; `retention` and what is told of transactions go on as in an empty store. */
export const DELIVERY_TABLES: readonly string[] = [
  ...Object.values(TABLES),
  ...["message_body", "superseded_commit", "group_policy", "news"],
]

async function countsIn(connection: Connection): Promise<Record<DeliveryRecord["type"], number>> {
  const counts = Object.entries(TABLES).map(([type, table]) => `(SELECT count(*)::integer FROM ${table}) AS "${type}"`)
  return (await connection.get(`SELECT ${counts.join(", ")}`)) as never
}

function take(connection: Connection, records: readonly DeliveryRecord[], sha256: Sha256): Promise<number> {
  const of = <Type extends DeliveryRecord["type"]>(_: Type) => records as readonly DeliveryRecordOf<Type>[]
  switch (records[0]!.type) {
    case "identity":
      return takeIdentity(connection, of("identity")[0]!)
    case "formerGroup":
      return takeFormerGroups(connection, of("formerGroup"))
    case "device":
      return takeDevices(connection, of("device"))
    case "keyPackage":
      return takeKeyPackages(connection, of("keyPackage"))
    case "group":
      return takeGroups(connection, of("group"))
    case "interval":
      return takeIntervals(connection, of("interval"))
    case "entry":
      return takeEntries(connection, of("entry"), sha256)
    case "welcome":
      return takeWelcomes(connection, of("welcome"))
    case "knock":
      return takeKnocks(connection, of("knock"))
    case "answer":
      return takeAnswers(connection, of("answer"))
    case "inboxEntry":
      return takeInbox(connection, of("inboxEntry"))
    case "action":
      return takeActions(connection, of("action"))
  }
}

const bigints = <T>(list: readonly T[], of: (it: T) => bigint) => bigintArray(list.map(of))
const bytes = <T>(list: readonly T[], of: (it: T) => Uint8Array | undefined) =>
  bytesArray(list.map((it) => of(it) ?? null))

function takeIdentity(connection: Connection, record: DeliveryRecordOf<"identity">): Promise<number> {
  const { seed, passSecret, incarnation, handovers } = record
  return connection.run(
    "INSERT INTO identity (number, seed, pass_secret, incarnation, handovers) VALUES (1, $1, $2, $3, $4)",
    [seed, passSecret, incarnation, encode(vector(Handover), handovers)],
  )
}

function takeFormerGroups(connection: Connection, records: readonly DeliveryRecordOf<"formerGroup">[]) {
  return connection.run("INSERT INTO former_group (id) SELECT * FROM unnest($1::bytea[])", [
    bytes(records, ({ idHash }) => idHash),
  ])
}

function takeDevices(connection: Connection, records: readonly DeliveryRecordOf<"device">[]) {
  return connection.run(
    `INSERT INTO device (id, inbox_head, signature_key, suspended)
     SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::text[])`,
    [
      bytes(records, ({ deviceId }) => deviceId),
      bigints(records, ({ inboxHead }) => inboxHead),
      bytes(records, ({ signatureKey }) => signatureKey),
      textArray(records.map(({ suspended }) => suspended ?? null)),
    ],
  )
}

function takeKeyPackages(connection: Connection, records: readonly DeliveryRecordOf<"keyPackage">[]) {
  return connection.run(
    `INSERT INTO key_package (not_after, cipher_suite, last_resort, ref, device_id, body)
     SELECT not_after, cipher_suite, last_resort, ref, device_id, body
     FROM unnest($1::bigint[], $2::integer[], $3::boolean[], $4::bytea[], $5::bytea[], $6::bytea[]) WITH ORDINALITY
       AS taken (not_after, cipher_suite, last_resort, ref, device_id, body, place) ORDER BY place`,
    [
      bigints(records, ({ notAfter }) => notAfter),
      integerArray(records.map(({ cipherSuite }) => cipherSuite)),
      booleanArray(records.map(({ lastResort }) => lastResort)),
      bytes(records, ({ ref }) => ref),
      bytes(records, ({ deviceId }) => deviceId),
      bytes(records, ({ keyPackage }) => keyPackage),
    ],
  )
}

const BUDGETS = ["appends", "proposals", "commits", "knocks"] as const
const NO_KEY = new Uint8Array()

/** The newest key comes with the intervals. */
async function takeGroups(connection: Connection, records: readonly DeliveryRecordOf<"group">[]) {
  const taken = await connection.run(
    `INSERT INTO mls_group (id, next_seq, oldest_seq, last_commit_seq, beside, bytes, last_at, head_hash, idem, request_hash,
       appends_full_at, proposals_full_at, commits_full_at, knocks_full_at, access_seq, access_key)
     SELECT id, head_seq + 1, oldest_seq, last_commit_seq, beside, bytes, last_at, head_hash, idem, request_hash,
       appends, proposals, commits, knocks, 0, $15::bytea
     FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
       $8::bytea[], $9::bytea[], $10::bytea[], $11::float8[], $12::float8[], $13::float8[], $14::float8[]) WITH ORDINALITY
       AS taken (id, head_seq, oldest_seq, last_commit_seq, beside, bytes, last_at, head_hash, idem, request_hash,
         appends, proposals, commits, knocks, place) ORDER BY place`,
    [
      bytes(records, ({ groupId }) => groupId),
      bigints(records, ({ headSeq }) => headSeq),
      bigints(records, ({ oldestSeq }) => oldestSeq),
      bigints(records, ({ lastCommitSeq }) => lastCommitSeq),
      bigints(records, ({ beside }) => beside),
      bigints(records, (group) => group.bytes),
      bigints(records, ({ lastAt }) => lastAt),
      bytes(records, ({ headHash }) => headHash),
      bytes(records, ({ idempotencyId }) => idempotencyId),
      bytes(records, ({ requestHash }) => requestHash),
      ...BUDGETS.map((name) => doubleArray(records.map(({ budgets }) => budgets[name]))),
      NO_KEY,
    ],
  )
  await takePolicies(
    connection,
    records.filter(({ policy }) => policy.version > 0n),
  )
  return taken
}

/** The next sweep finds out what is due. */
async function takePolicies(connection: Connection, records: readonly DeliveryRecordOf<"group">[]): Promise<void> {
  await connection.run(
    `INSERT INTO group_policy (group_number, policy, due_at)
     SELECT mls_group.number, policy, 0 FROM unnest($1::bytea[], $2::bytea[]) AS taken (id, policy)
     JOIN mls_group ON mls_group.id = taken.id`,
    [bytes(records, ({ groupId }) => groupId), bytes(records, ({ policy }) => encode(GroupPolicy, policy))],
  )
}

async function takeIntervals(connection: Connection, records: readonly DeliveryRecordOf<"interval">[]) {
  const taken = await connection.run(
    `INSERT INTO access_interval (group_number, seq, at, removes, access_key, chain_hash)
     SELECT mls_group.number, seq, at, removes, taken.access_key, chain_hash
     FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::boolean[], $5::bytea[], $6::bytea[])
       AS taken (id, seq, at, removes, access_key, chain_hash) JOIN mls_group ON mls_group.id = taken.id`,
    [
      bytes(records, ({ groupId }) => groupId),
      bigints(records, ({ seq }) => seq),
      bigints(records, ({ at }) => at),
      booleanArray(records.map(({ removes }) => removes)),
      bytes(records, ({ accessKey }) => accessKey),
      bytes(records, ({ chainHash }) => chainHash),
    ],
  )
  const groups = [...new Map(records.map(({ groupId }) => [Buffer.from(groupId).toString("hex"), groupId])).values()]
  await connection.run(
    `UPDATE mls_group SET access_seq = newest.seq, access_key = newest.access_key
     FROM (SELECT DISTINCT ON (group_number) group_number, seq, access_key FROM access_interval
       WHERE group_number IN (SELECT number FROM mls_group WHERE id = ANY($1::bytea[])) ORDER BY group_number, seq DESC) AS newest
     WHERE mls_group.number = newest.group_number`,
    [bytesArray(groups)],
  )
  return taken
}

/**
 * What has expired is what an application message of this store is whose body is gone: the hash of its body is left, and it
 * counts as that.
 */
function takeEntries(connection: Connection, records: readonly EntryRecord[], sha256: Sha256): Promise<number> {
  const isExpired = ({ kind }: EntryRecord) => kind === "expired"
  const messages = records.filter(({ kind }) => kind === "application")
  const kindOf = (entry: EntryRecord) => (isExpired(entry) ? APPLICATION : LogEntryKind.values[entry.kind])
  return connection.run(TAKE_ENTRIES, [
    bytes(records, ({ groupId }) => groupId),
    bigints(records, ({ seq }) => seq),
    bigints(records, ({ epoch }) => epoch),
    bigints(records, ({ at }) => at),
    integerArray(records.map(({ body }) => body.length)),
    integerArray(records.map(kindOf)),
    bytes(records, ({ idempotencyId }) => idempotencyId),
    bytes(records, ({ requestHash }) => requestHash),
    bytes(records, (entry) => (isExpired(entry) ? entry.body : sha256(entry.body))),
    bytes(records, ({ chainHash }) => chainHash),
    bytes(records, ({ begins }) => begins && encode(Interval, begins)),
    bytes(records, ({ undelivered }) => (undelivered.length === 0 ? undefined : encode(DeviceIds, undelivered))),
    bytes(records, ({ kind, body }) => (kind === "application" || kind === "expired" ? undefined : body)),
    bigints(messages, ({ at }) => at),
    bytes(messages, ({ groupId }) => groupId),
    bigints(messages, ({ seq }) => seq),
    bytes(messages, ({ body }) => body),
  ])
}

const TAKE_ENTRIES = `
  WITH bodies AS (
    INSERT INTO message_body (at, group_number, seq, body)
    SELECT at, mls_group.number, seq, body
    FROM unnest($14::bigint[], $15::bytea[], $16::bigint[], $17::bytea[]) AS taken (at, id, seq, body)
    JOIN mls_group ON mls_group.id = taken.id
  )
  INSERT INTO log (group_number, seq, epoch, at, size, kind, idem, request_hash, body_hash, chain_hash, begins, undelivered, body)
  SELECT mls_group.number, seq, epoch, at, size, kind, taken.idem, taken.request_hash, body_hash, chain_hash, begins,
    undelivered, body
  FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::bytea[], $8::bytea[],
    $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[]) WITH ORDINALITY
    AS taken (id, seq, epoch, at, size, kind, idem, request_hash, body_hash, chain_hash, begins, undelivered, body, place)
  JOIN mls_group ON mls_group.id = taken.id ORDER BY place`

/** How often each is referred to is counted at the end. */
function takeWelcomes(connection: Connection, records: readonly DeliveryRecordOf<"welcome">[]) {
  return connection.run(
    "INSERT INTO blob (hash, uses, body) SELECT hash, 0, body FROM unnest($1::bytea[], $2::bytea[]) AS taken (hash, body)",
    [bytes(records, ({ hash }) => hash), bytes(records, ({ welcome }) => welcome)],
  )
}

function takeKnocks(connection: Connection, records: readonly DeliveryRecordOf<"knock">[]) {
  return connection.run(
    `INSERT INTO knock (group_number, beside, at, id, access_key, sealed, sender)
     SELECT mls_group.number, taken.beside, at, taken.id, taken.access_key, sealed, sender
     FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bytea[]) WITH ORDINALITY
       AS taken (group_id, beside, at, id, access_key, sealed, sender, place)
     JOIN mls_group ON mls_group.id = taken.group_id ORDER BY place`,
    [
      bytes(records, ({ groupId }) => groupId),
      bigints(records, ({ beside }) => beside),
      bigints(records, ({ at }) => at),
      bytes(records, ({ id }) => id),
      bytes(records, ({ accessKey }) => accessKey),
      bytes(records, ({ sealed }) => sealed),
      bytes(records, ({ sender }) => sender),
    ],
  )
}

function takeAnswers(connection: Connection, records: readonly DeliveryRecordOf<"answer">[]) {
  return connection.run(
    `INSERT INTO answer (group_number, seq, beside, at, knock_id, access_key, sealed_key, welcome_hash)
     SELECT mls_group.number, seq, taken.beside, at, knock_id, taken.access_key, sealed_key, welcome_hash
     FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[])
       WITH ORDINALITY AS taken (group_id, seq, beside, at, knock_id, access_key, sealed_key, welcome_hash, place)
     JOIN mls_group ON mls_group.id = taken.group_id ORDER BY place`,
    [
      bytes(records, ({ groupId }) => groupId),
      bigints(records, ({ seq }) => seq),
      bigints(records, ({ beside }) => beside),
      bigints(records, ({ at }) => at),
      bytes(records, ({ knockId }) => knockId),
      bytes(records, ({ accessKey }) => accessKey),
      bytes(records, ({ sealedKey }) => sealedKey),
      bytes(records, ({ welcomeHash }) => welcomeHash),
    ],
  )
}

function takeInbox(connection: Connection, records: readonly DeliveryRecordOf<"inboxEntry">[]) {
  return connection.run(
    `INSERT INTO inbox (device_id, n, kind, group_id, seq, body_hash, sender, at)
     SELECT device_id, n, kind, group_id, seq, body_hash, sender, at
     FROM unnest($1::bytea[], $2::bigint[], $3::integer[], $4::bytea[], $5::bigint[], $6::bytea[], $7::bytea[], $8::bigint[])
       WITH ORDINALITY AS taken (device_id, n, kind, group_id, seq, body_hash, sender, at, place) ORDER BY place`,
    [
      bytes(records, ({ deviceId }) => deviceId),
      bigints(records, ({ n }) => n),
      integerArray(records.map(({ kind }) => InboxKind.values[kind])),
      bytes(records, ({ groupId }) => groupId),
      bigints(records, ({ seq }) => seq),
      bytes(records, ({ welcomeHash }) => welcomeHash),
      bytes(records, ({ sender }) => sender),
      bigints(records, ({ at }) => at),
    ],
  )
}

async function takeActions(connection: Connection, records: readonly DeliveryRecordOf<"action">[]) {
  for (const action of records) await keepAction(connection, action)
  return records.length
}

/** Counts what refers to each Welcome. */
export function settleWelcomes(connection: Connection): Promise<number> {
  return connection.run(
    `UPDATE blob SET uses = used.uses FROM (
       SELECT hash, count(*) AS uses FROM (
         SELECT body_hash AS hash FROM inbox WHERE body_hash IS NOT NULL UNION ALL SELECT welcome_hash FROM answer
       ) AS referring GROUP BY hash
     ) AS used WHERE blob.hash = used.hash`,
  )
}
