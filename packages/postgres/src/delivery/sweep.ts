import type { Sha256 } from "@conclave/contracts/log-chain"
import type { Horizons, Swept } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { failureCode } from "../failures.js"
import { bigintArray } from "../values.js"
import { deleteRows, lockGroups, takeOff } from "./entries.js"
import { releaseAll } from "./inbox.js"
import { forgetExpired } from "./key-packages.js"
import { sweepNews } from "./news.js"
import { deleteBeside, deleteLog } from "./operated.js"
import { type Partitions, retainedIn, rewriteOne } from "./partitions.js"
import { carryOutPolicy } from "./policies.js"
import { APPLICATION, EXPIRED_SIZE } from "./sizes.js"

interface Sweeping {
  readonly partitions: Partitions
  readonly sha256: Sha256
}

const NOTHING: Swept = { rows: 0, more: false }

/** Each part in a transaction of its own, so that requests are answered in between; of all gateways, one sweeps at a time. */
export async function sweep(database: Database, horizons: Horizons, { partitions, sha256 }: Sweeping): Promise<Swept> {
  const { rowsMax } = horizons
  const parts: readonly ((connection: Connection) => Promise<Swept>)[] = [
    (connection) => raiseHorizon(connection, horizons),
    (connection) => countExpired(connection, horizons),
    (connection) => deleteEntries(connection, horizons),
    (connection) => deleteSuperseded(connection, horizons),
    (connection) => deleteGroups(connection, horizons, sha256),
    (connection) => deleteInboxEntries(connection, horizons),
    (connection) => deleteOldBeside(connection, horizons),
    async (connection) => partly(await forgetExpired(connection, horizons.at, rowsMax), rowsMax),
    // Notes of transactions do not count as rows.
    async (connection) => ({ rows: 0, more: (await sweepNews(connection, rowsMax)) === rowsMax }),
  ]
  const alone = (part: (connection: Connection) => Promise<Swept>) =>
    database.write(async (connection) => ((await isAlone(connection)) ? part(connection) : undefined))
  let { rows, more } = NOTHING
  for (let groups = 0; groups < GROUPS_AT_ONCE; groups++) {
    const swept = await alone((connection) => carryOutPolicy(connection, horizons, sha256))
    if (swept === undefined) return { rows, more: false }
    rows += swept.rows
    more = swept.more
    if (!more || rows >= rowsMax) break
  }
  for (const part of parts) {
    const swept = await alone(part)
    if (swept === undefined) return { rows, more: false }
    rows += swept.rows
    more ||= swept.more
  }
  more ||= await dropPartition(database, partitions)
  if (!more) await rewritePartition(database, horizons.at, partitions.milliseconds)
  // What comes tomorrow finds a place as what comes today.
  await partitions.make([horizons.at, horizons.at + partitions.milliseconds])
  return { rows, more }
}

/** Whose policies are carried out before the rest of a sweep comes. */
const GROUPS_AT_ONCE = 50

const partly = (rows: number, rowsMax: number): Swept => ({ rows, more: rows === rowsMax })

async function isAlone(connection: Connection): Promise<boolean> {
  const row = await connection.get(
    "SELECT pg_try_advisory_xact_lock(hashtext('conclave sweep'), hashtext(current_schema())) AS alone",
  )
  return row!.alone
}

/** As {@link dropPartition}. */
async function rewritePartition(database: Database, at: bigint, every: bigint): Promise<void> {
  try {
    await database.write(async (connection) => {
      if (await isAlone(connection)) await rewriteOne(connection, at, every)
    })
  } catch (error) {
    if (failureCode(error) !== "55P03") throw error
  }
}

/** While a long transaction reads from it, it stays: the next sweep tries again. */
async function dropPartition(database: Database, partitions: Partitions): Promise<boolean> {
  try {
    return await database.write(async (connection) => {
      return (await isAlone(connection)) && partitions.dropOne(connection)
    })
  } catch (error) {
    if (failureCode(error) === "55P03") return false
    throw error
  }
}

/** From now on, application messages from before the horizon are shown as expired. */
async function raiseHorizon(connection: Connection, { messages }: Horizons): Promise<Swept> {
  await connection.run("UPDATE retention SET messages = $1 WHERE messages < $1", [messages])
  return NOTHING
}

/**
 * Takes the sizes of expired messages off their groups, some at a time, in the order of their times; a partition whose
 * messages have all been counted can be dropped.
 */
async function countExpired(connection: Connection, { rowsMax }: Horizons): Promise<Swept> {
  const retained = await retainedIn(connection)
  const from = retained.counted
  const to = await chunkEnd(connection, {
    from,
    to: retained.messages,
    rowsMax,
    condition: `AND kind = ${APPLICATION}`,
  })
  if (to <= from) return NOTHING
  const rows = await connection.all(
    `SELECT group_number, count(*)::integer AS rows, sum(size - ${EXPIRED_SIZE})::bigint AS bytes FROM log
     WHERE at >= $1 AND at < $2 AND kind = ${APPLICATION} GROUP BY group_number`,
    [from, to],
  )
  await takeOff(connection, rows)
  await connection.run("UPDATE retention SET counted = $1", [to])
  return { rows: rows.reduce((sum, row) => sum + row.rows, 0), more: to < retained.messages }
}

interface Chunk {
  readonly from: bigint
  readonly to: bigint
  readonly rowsMax: number
  readonly condition?: string
}

/** Up to which time to go for about `rowsMax` entries: those of one millisecond stay together. */
async function chunkEnd(connection: Connection, { from, to, rowsMax, condition = "" }: Chunk): Promise<bigint> {
  if (to <= from) return from
  const next = await connection.get(
    `SELECT at FROM log WHERE at >= $1 AND at < $2 ${condition} ORDER BY at OFFSET $3 LIMIT 1`,
    [from, to, rowsMax],
  )
  if (next === undefined) return to
  const first = await connection.get(`SELECT min(at) AS at FROM log WHERE at >= $1 ${condition}`, [from])
  return next.at === first!.at ? next.at + 1n : next.at
}

/** Deletes from the beginning of each log on; the last commit stays, for those who compare with it. */
async function deleteEntries(connection: Connection, { log, rowsMax }: Horizons): Promise<Swept> {
  const from: bigint = (await connection.get("SELECT log FROM retention"))!.log
  const to = await chunkEnd(connection, { from, to: log, rowsMax })
  if (to <= from) return NOTHING
  const due = await connection.all("SELECT group_number, seq, kind, size, at FROM log WHERE at >= $1 AND at < $2", [
    from,
    to,
  ])
  const groups = await lockGroups(connection, bigintArray([...new Set(due.map((row) => row.group_number as bigint))]))
  const lastCommits = new Map(groups.map(({ number, last_commit_seq }) => [number, last_commit_seq]))
  const gone = due.filter(({ group_number, seq }) => lastCommits.get(group_number) !== seq)
  await connection.run(
    `UPDATE mls_group SET oldest_seq = greatest(oldest_seq, due.seq + 1)
     FROM (SELECT number, max(seq) AS seq FROM unnest($1::bigint[], $2::bigint[]) AS entry (number, seq) GROUP BY number) AS due
     WHERE mls_group.number = due.number`,
    [bigintArray(due.map((row) => row.group_number)), bigintArray(due.map(({ seq }) => seq))],
  )
  const rows = await deleteRows(connection, gone)
  await connection.run("UPDATE retention SET log = $1", [to])
  return { rows, more: to < log }
}

/** Commits that had stayed because they were the last ones. */
async function deleteSuperseded(connection: Connection, { log, rowsMax }: Horizons): Promise<Swept> {
  const due = await connection.all(
    `SELECT log.group_number, log.seq, log.kind, log.size, log.at FROM superseded_commit
     JOIN log ON log.group_number = superseded_commit.group_number AND log.seq = superseded_commit.seq
     WHERE log.at < $1 ORDER BY log.group_number LIMIT $2`,
    [log, rowsMax],
  )
  if (due.length === 0) return NOTHING
  await lockGroups(connection, bigintArray(due.map(({ group_number }) => group_number)))
  const places = [bigintArray(due.map((row) => row.group_number)), bigintArray(due.map(({ seq }) => seq))]
  await connection.run(
    `DELETE FROM superseded_commit USING unnest($1::bigint[], $2::bigint[]) AS gone (number, seq)
     WHERE group_number = gone.number AND superseded_commit.seq = gone.seq`,
    places,
  )
  return partly(await deleteRows(connection, due), rowsMax)
}

async function deleteGroups(connection: Connection, { groups, rowsMax }: Horizons, sha256: Sha256): Promise<Swept> {
  const { group_number: from } = (await connection.get("SELECT group_number FROM retention"))!
  const rows = await connection.all(
    "SELECT number, last_at FROM mls_group WHERE number > $1 ORDER BY number LIMIT $2",
    [from, rowsMax],
  )
  const isEnd = rows.length < rowsMax
  let deleted = 0
  let reached: bigint = from
  const released: Uint8Array[] = []
  for (const { number, last_at } of rows) {
    if (last_at < groups) {
      if (deleted >= rowsMax) break
      const gone = await deleteGroup(connection, { number, groups, rowsMax, sha256 })
      deleted += gone.rows
      released.push(...gone.released)
      if (!gone.isDone) break
    }
    reached = number
  }
  const isThrough = isEnd && reached === (rows.at(-1)?.number ?? from)
  await connection.run("UPDATE retention SET group_number = $1", [isThrough ? 0n : reached])
  await releaseAll(connection, released)
  return { rows: deleted, more: !isThrough }
}

interface DueGroup {
  readonly number: bigint
  readonly groups: bigint
  readonly rowsMax: number
  readonly sha256: Sha256
}

async function deleteGroup(connection: Connection, { number, groups, rowsMax, sha256 }: DueGroup) {
  // Something may have been appended meanwhile.
  const group = await connection.get("SELECT id FROM mls_group WHERE number = $1 AND last_at < $2 FOR UPDATE", [
    number,
    groups,
  ])
  if (group === undefined) return { rows: 0, isDone: true, released: [] }
  const released = await deleteBeside(connection, number)
  await connection.run("INSERT INTO former_group (id) VALUES ($1) ON CONFLICT DO NOTHING", [sha256(group.id)])
  const { rows, isDone } = await deleteLog(connection, number, rowsMax)
  // Half a log is not shown: what is left of it is not kept any more.
  if (!isDone) await connection.run("UPDATE mls_group SET oldest_seq = next_seq WHERE number = $1", [number])
  return { rows, isDone, released }
}

async function deleteInboxEntries(connection: Connection, { inbox, rowsMax }: Horizons): Promise<Swept> {
  const rows = await connection.all(
    `DELETE FROM inbox WHERE number = ANY (ARRAY(
       SELECT number FROM inbox WHERE at < $1 ORDER BY at, number LIMIT $2 FOR UPDATE SKIP LOCKED
     )) RETURNING body_hash`,
    [inbox, rowsMax],
  )
  await releaseAll(
    connection,
    rows.map(({ body_hash }) => body_hash),
  )
  return partly(rows.length, rowsMax)
}

async function deleteOldBeside(connection: Connection, { knocks, rowsMax }: Horizons): Promise<Swept> {
  const due = (table: "knock" | "answer") => `number = ANY (ARRAY(
    SELECT number FROM ${table} WHERE at < $1 ORDER BY at, number LIMIT $2 FOR UPDATE SKIP LOCKED))`
  const deleted = await connection.run(`DELETE FROM knock WHERE ${due("knock")}`, [knocks, rowsMax])
  const answers = await connection.all(`DELETE FROM answer WHERE ${due("answer")} RETURNING welcome_hash AS hash`, [
    knocks,
    rowsMax,
  ])
  await releaseAll(
    connection,
    answers.map(({ hash }) => hash),
  )
  return { rows: deleted + answers.length, more: deleted === rowsMax || answers.length === rowsMax }
}
