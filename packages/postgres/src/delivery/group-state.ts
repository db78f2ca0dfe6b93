import { decode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { Budgets, NewEntry } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { bigintArray, bytesArray, type Row } from "../values.js"
import { type Begun, type GroupAccess, type Place, placesOf } from "./access.js"
import { DeviceIds } from "./device-ids.js"
import { budgetsIn, OF_USE } from "./use.js"

/** What is answered of an entry that was accepted. */
export interface Answered {
  readonly requestHash: Uint8Array
  readonly seq: bigint
  readonly chainHash: Uint8Array
  readonly undelivered: readonly Uint8Array[]
}

/** A locked group, as it becomes from one entry of a transaction to the next. */
export interface GroupState {
  readonly number: bigint
  readonly id: Uint8Array
  /** As the row has it until it is written. */
  readonly seqThen: bigint
  readonly oldestSeq: bigint
  /** The sizes of messages from before have been taken off. */
  counted: bigint
  /** Entries from before have been deleted. */
  swept: bigint
  nextSeq: bigint
  lastCommitSeq: bigint
  beside: bigint
  bytes: bigint
  budgets: Budgets
  lastAt: bigint
  accessKey: Uint8Array
  accessSeq: bigint
  headHash: Uint8Array
  /** By idempotency id. */
  readonly answered: ByBytes<Answered>
  /** Of the keys that are asked for. */
  readonly places: ByBytes<Place>
  /** In this transaction. */
  readonly begun: Begun[]
  readonly newCommits: bigint[]
  /** The newest before this transaction, the last one first: as many as are asked for. */
  formerCommits: readonly bigint[]
  /** Commits that had stayed beyond the horizon as the last ones. */
  readonly superseded: bigint[]
}

/** A map whose keys are bytes. */
export class ByBytes<T> {
  readonly #map = new Map<string, T>()

  get(bytes: Uint8Array): T | undefined {
    return this.#map.get(nameOf(bytes))
  }

  set(bytes: Uint8Array, value: T): void {
    this.#map.set(nameOf(bytes), value)
  }

  values(): IterableIterator<T> {
    return this.#map.values()
  }
}

const nameOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1")

/** Locks the groups of the entries, by number, and reads what the entries' rules ask for. `onLocked` when all are locked. */
export async function loadGroups(
  connection: Connection,
  entries: readonly NewEntry[],
  onLocked: () => void,
): Promise<ByBytes<GroupState>> {
  const ids = new ByBytes<Uint8Array>()
  for (const { groupId } of entries) ids.set(groupId, groupId)
  const rows = await connection.all(
    `SELECT number, id, next_seq, oldest_seq, last_commit_seq, beside, ${OF_USE}, last_at, access_seq, access_key, head_hash
     FROM mls_group WHERE id = ANY($1::bytea[]) ORDER BY number FOR UPDATE`,
    [bytesArray([...ids.values()])],
  )
  onLocked()
  const groups = new ByBytes<GroupState>()
  if (rows.length === 0) return groups
  for (const row of rows) groups.set(row.id, stateOf(row))
  const found = entries.flatMap((entry) => {
    const group = groups.get(entry.groupId)
    return group === undefined ? [] : [{ entry, group }]
  })
  await loadAnswered(connection, found)
  await loadPlaces(connection, found)
  await loadCommits(connection, found)
  return groups
}

interface Found {
  readonly entry: NewEntry
  readonly group: GroupState
}

export function stateOf(row: Row): GroupState {
  return {
    number: row.number,
    id: row.id,
    seqThen: row.next_seq,
    oldestSeq: row.oldest_seq,
    counted: 0n,
    swept: 0n,
    nextSeq: row.next_seq,
    lastCommitSeq: row.last_commit_seq,
    beside: row.beside,
    bytes: row.bytes,
    budgets: budgetsIn(row),
    lastAt: row.last_at,
    accessKey: row.access_key,
    accessSeq: row.access_seq,
    headHash: row.head_hash,
    answered: new ByBytes(),
    places: new ByBytes(),
    begun: [],
    newCommits: [],
    formerCommits: [],
    superseded: [],
  }
}

/** What others have done until the locks were had is seen by this statement, and by those that follow. */
async function loadAnswered(connection: Connection, found: readonly Found[]): Promise<void> {
  const rows = await connection.all(
    `SELECT asked.place::integer AS place, retention.counted, retention.log AS swept, log.seq, log.request_hash, log.chain_hash, log.undelivered
     FROM retention CROSS JOIN unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS asked (number, idem, place)
     LEFT JOIN log ON log.group_number = asked.number AND log.idem = asked.idem`,
    [bigintArray(found.map(({ group }) => group.number)), bytesArray(found.map(({ entry }) => entry.idempotencyId))],
  )
  for (const { place, counted, swept, seq, request_hash, chain_hash, undelivered } of rows) {
    const { entry, group } = found[place - 1]!
    Object.assign(group, { counted, swept })
    if (seq === null) continue
    group.answered.set(entry.idempotencyId, {
      ...{ requestHash: request_hash, seq, chainHash: chain_hash },
      undelivered: undelivered === null ? [] : decode(DeviceIds, undelivered),
    })
  }
}

/** Of the keys that are shown, but for the newest one, and of those that are to be registered. */
async function loadPlaces(connection: Connection, found: readonly Found[]): Promise<void> {
  const asked = found.flatMap(({ entry, group }) => {
    const begins = entry.commit?.begins !== undefined
    // A key that is the newest now may not be after an entry of this transaction.
    const isNewest = entry.key !== undefined && equalBytes(entry.key, group.accessKey)
    const keys = [
      entry.key !== undefined && !isNewest ? entry.key : undefined,
      begins ? entry.commit.begins.accessKey : undefined,
    ]
    return keys.flatMap((key) => (key === undefined ? [] : [{ group, number: group.number, key }]))
  })
  for (const group of new Set(
    found.filter(({ entry }) => entry.commit?.begins !== undefined).map(({ group }) => group),
  )) {
    group.places.set(group.accessKey, { seq: group.accessSeq, reach: undefined, later: [] })
  }
  const places = await placesOf(connection, asked)
  for (const [index, place] of places.entries()) {
    const { group, key } = asked[index]!
    if (place !== undefined) group.places.set(key, place)
  }
}

/** Only messages ask how many commits there are after the one that their author has read. */
async function loadCommits(connection: Connection, found: readonly Found[]): Promise<void> {
  const commits = new Set(found.filter(({ entry }) => entry.kind === "commit").map(({ group }) => group))
  const asking = found.filter(({ entry, group }) => {
    return entry.kind === "application" && (entry.after !== group.lastCommitSeq || commits.has(group))
  })
  if (asking.length === 0) return
  const count = Math.max(...asking.map(({ entry }) => entry.pastCommitsMax)) + 1
  const groups = [...new Set(asking.map(({ group }) => group))]
  const rows = await connection.all(
    `SELECT asked.place::integer AS place, recent.seq
     FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (number, place) CROSS JOIN LATERAL (
       SELECT seq FROM log WHERE group_number = asked.number AND kind = 3 ORDER BY seq DESC LIMIT $2
     ) AS recent ORDER BY place, recent.seq DESC`,
    [bigintArray(groups.map(({ number }) => number)), count],
  )
  for (const [index, group] of groups.entries()) {
    group.formerCommits = rows.filter(({ place }) => place === index + 1).map(({ seq }) => seq)
  }
}

/** The commit with so many after it; `undefined` where there are fewer. */
export function recentCommit({ newCommits, formerCommits }: GroupState, later: number): bigint | undefined {
  return newCommits.at(-1 - later) ?? formerCommits[later - newCommits.length]
}

export const accessOf = (group: GroupState): GroupAccess => ({
  next_seq: group.nextSeq,
  last_commit_seq: group.lastCommitSeq,
  beside: group.beside,
  access_key: group.accessKey,
  access_seq: group.accessSeq,
})

/** Of a key that is not the newest: what was read, and what this transaction has begun since. */
export function placeNow({ places, begun }: GroupState, key: Uint8Array | undefined): Place | undefined {
  if (key === undefined) return undefined
  const index = begun.findLastIndex(({ accessKey }) => equalBytes(accessKey, key))
  const former = places.get(key)
  const [first, later] =
    index < 0 ? [former, begun] : [{ seq: begun[index]!.seq, reach: undefined, later: [] }, begun.slice(index + 1)]
  if (first === undefined) return undefined
  return {
    seq: first.seq,
    reach: first.reach ?? later.find(({ removes }) => removes)?.seq,
    later: [...first.later, ...later],
  }
}
