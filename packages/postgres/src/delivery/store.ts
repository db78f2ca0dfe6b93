import { logChainStart, type Sha256 } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import type { NewGroup, Operated, Refusal, Store } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { headOf, insertIntervals, standingsOf } from "./access.js"
import { answerTo, besideOf, leaveKnock, waitingKnocks } from "./beside.js"
import { INCARNATION, identityOf, raiseIncarnation } from "./identity.js"
import { acknowledgeInbox, inboxHead, readInbox, requireActive } from "./inbox.js"
import { claimKeyPackage, publishKeyPackages, stockOf } from "./key-packages.js"
import { Lanes } from "./lanes.js"
import { readLog } from "./log.js"
import { newsSince } from "./news.js"
import { closeGroup, resumeDevice, suspendDevice } from "./operated.js"
import { Partitions } from "./partitions.js"
import { changePolicy, policyOf } from "./policies.js"
import { migrations } from "./schema.js"
import { sweep } from "./sweep.js"
import { Turns } from "./turns.js"
import { admittingOnce } from "./use.js"

export interface DeliveryStoreOptions {
  /** How long the time is whose messages lie in one partition, and are dropped together; default a day. */
  readonly partitionMilliseconds?: number
  /** Is told of each transaction that appends, by its number of entries. */
  readonly onBatch?: (entries: number) => void
}

/** The store, and how many appends have been asked for and are not settled. */
export type DeliveryStore = Store & Operated & { readonly waitingAppends: number }

const DAY = 86_400_000
/** In whose turn the one row of the identity is. */
const IDENTITY = new Uint8Array()

/**
 * The store in PostgreSQL. Takes the database over: disposing the store closes it.
 *
 * @throws {StoreUnavailable} when the tables cannot be brought up to date now, or are of a later version.
 */
export async function deliveryStore(
  database: Database,
  sha256: Sha256,
  { partitionMilliseconds = DAY, onBatch = () => {} }: DeliveryStoreOptions = {},
): Promise<DeliveryStore> {
  await database.migrate("delivery", migrations)
  const partitions = new Partitions(database, partitionMilliseconds)
  const turns = new Turns()
  /** Only one at a time of what is about the same device or group. */
  const inTurn = <T>(id: Uint8Array, work: (connection: Connection) => Promise<T>) =>
    turns.take(id, () => database.write(work))
  const lanes = new Lanes({ database, partitions, sha256, onBatch })
  return {
    get waitingAppends() {
      return lanes.waiting
    },
    createGroup: (group) => {
      const admit = admittedOnce(group)
      return inTurn(group.groupId, (connection) => createGroup(connection, { ...group, admit }, sha256))
    },
    append: (entry) => lanes.append(entry),
    read: (page) => database.read((connection) => readLog(connection, page)),
    head: (shown) => database.look((connection) => headOf(connection, shown)),
    standing: async (shown) => (await database.look((connection) => standingsOf(connection, [shown])))[0]!,
    standings: (shown) => database.look((connection) => standingsOf(connection, shown)),
    knock: (knock) => {
      const admit = admittingOnce(knock)
      return inTurn(knock.groupId, (connection) => leaveKnock(connection, knock, admit))
    },
    knocks: (asked) => database.read((connection) => waitingKnocks(connection, asked)),
    beside: (asked) => database.read((connection) => besideOf(connection, asked)),
    answer: (asked) => database.read((connection) => answerTo(connection, asked)),
    policy: (shown) => database.read((connection) => policyOf(connection, shown)),
    changePolicy: (change) => {
      const admit = admittingOnce(change)
      return inTurn(change.groupId, (connection) => changePolicy(connection, change, admit))
    },
    async identity(made) {
      const identity = await inTurn(IDENTITY, (connection) => identityOf(connection, made))
      database.hold(INCARNATION, identity.incarnation)
      return identity
    },
    async raiseIncarnation(handover) {
      await database.write((connection) => raiseIncarnation(connection, handover))
      database.hold(INCARNATION, handover.incarnation)
    },
    publishKeyPackages: (publication) =>
      inTurn(publication.deviceId, (connection) => publishKeyPackages(connection, publication)),
    claimKeyPackage: (claim) => inTurn(claim.deviceId, (connection) => claimKeyPackage(connection, claim)),
    countKeyPackages: (device) =>
      database.read(async (connection) => {
        requireActive(await connection.get("SELECT suspended FROM device WHERE id = $1", [device.deviceId]))
        return stockOf(connection, device)
      }),
    inbox: (page) => database.read((connection) => readInbox(connection, page)),
    inboxHead: (deviceId) => database.look((connection) => inboxHead(connection, deviceId)),
    acknowledgeInbox: (deviceId, upTo) =>
      inTurn(deviceId, (connection) => acknowledgeInbox(connection, deviceId, upTo)),
    news: (mark) => newsSince(database, mark),
    sweep: (horizons) => sweep(database, horizons, { partitions, sha256 }),
    usage: () => database.usage(),
    suspend: (deviceId, reason) => database.write((connection) => suspendDevice(connection, deviceId, reason)),
    resume: (deviceId) => database.write((connection) => resumeDevice(connection, deviceId)),
    closeGroup: (groupId) => closeGroup(database, groupId, sha256),
    async [Symbol.asyncDispose]() {
      await lanes.settled()
      await database.close()
    },
  }
}

/** What was admitted is not asked again when the transaction is run again. */
function admittedOnce(asking: { admit(): Refusal | undefined }): () => Refusal | undefined {
  let isAdmitted = false
  return () => {
    if (isAdmitted) return undefined
    const refusal = asking.admit()
    isAdmitted = refusal === undefined
    return refusal
  }
}

async function createGroup(
  connection: Connection,
  group: NewGroup,
  sha256: Sha256,
): Promise<"created" | "repeated" | "exists" | Refusal> {
  const { groupId, idempotencyId, requestHash, accessKey, at } = group
  const present = await presentGroup(connection, group)
  if (present !== undefined) return present
  const former = await connection.get("SELECT 1 FROM former_group WHERE id = $1", [sha256(groupId)])
  if (former !== undefined) return "exists"
  const refusal = group.admit()
  if (refusal !== undefined) return refusal
  const chainHash = logChainStart(sha256, groupId)
  const made = await connection.get(
    `INSERT INTO mls_group (id, next_seq, last_at, access_seq, access_key, head_hash, idem, request_hash)
     VALUES ($1, 1, $2, 0, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING RETURNING number`,
    [groupId, at, accessKey, chainHash, idempotencyId, requestHash],
  )
  // Another gateway was faster.
  if (made === undefined) return (await presentGroup(connection, group)) ?? "exists"
  await insertIntervals(connection, [{ group: made.number, seq: 0n, accessKey, removes: false, chainHash, at }])
  return "created"
}

async function presentGroup(connection: Connection, { groupId, idempotencyId, requestHash }: NewGroup) {
  const present = await connection.get("SELECT idem, request_hash FROM mls_group WHERE id = $1", [groupId])
  if (present === undefined) return undefined
  const isSame = equalBytes(present.idem, idempotencyId) && equalBytes(present.request_hash, requestHash)
  return isSame ? "repeated" : "exists"
}
