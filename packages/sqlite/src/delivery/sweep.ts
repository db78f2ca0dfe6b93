import { LogEntryKind } from "@conclave/contracts/delivery"
import type { Sha256 } from "@conclave/contracts/log-chain"
import type { Horizons, Swept } from "@conclave/delivery/store"
import type { Connection, Database, Row } from "../database.js"
import { deleteAnswers, deleteKnocks } from "./beside.js"
import { deleteRow, expireRow } from "./entries.js"
import { deleteEntry } from "./inbox.js"
import { forgetExpired } from "./key-packages.js"
import { carryOutPolicies } from "./policies.js"

/** Up to which rows the last sweeps came. Rows of the log are numbered in the order of their time. */
export interface Sweeping {
  messages: bigint
  log: bigint
  groups: bigint
  /** Of the file, as it was looked at last: it changes with what another process writes. */
  version: bigint | undefined
}

/**
 * Each part in a transaction of its own, so that requests are answered in between. What was deleted is overwritten in
 * the file, and the write-ahead log that still has it is emptied when a sweep has come to its end.
 */
export async function sweep(
  database: Database,
  horizons: Horizons,
  { sweeping, sha256 }: { readonly sweeping: Sweeping; readonly sha256: Sha256 },
): Promise<Swept> {
  const parts: readonly ((connection: Connection) => Swept)[] = [
    (connection) => {
      const swept = carryOutPolicies(connection, horizons, sha256)
      // A group that was retired is deleted with those of which nobody has spoken for long.
      if (swept.rows > 0) sweeping.groups = 0n
      return swept
    },
    (connection) => expireMessages(connection, horizons, { sweeping, sha256 }),
    (connection) => deleteEntries(connection, horizons, sweeping),
    (connection) => deleteGroups(connection, horizons, { sweeping, sha256 }),
    (connection) => deleteInboxEntries(connection, horizons),
    (connection) => deleteBeside(connection, horizons),
    (connection) => {
      const rows = forgetExpired(connection, horizons.at, horizons.rowsMax)
      return { rows, more: rows === horizons.rowsMax }
    },
  ]
  let [rows, more] = [0, false]
  for (const part of parts) {
    const work = (connection: Connection) => {
      beginAgainIfChanged(connection, sweeping)
      return part(connection)
    }
    const swept = await undoneTogether(database.write(work), sweeping)
    rows += swept.rows
    more ||= swept.more
  }
  if (rows > 0 && !more) database.checkpoint()
  return { rows, more }
}

/**
 * Another process, for the operator, may have deleted the newest rows of the log. Their numbers are given again then, to
 * rows that lie before the place that sweeps have come to, and are younger.
 */
function beginAgainIfChanged(connection: Connection, sweeping: Sweeping): void {
  const { data_version } = connection.get("PRAGMA data_version")!
  if (sweeping.version !== data_version) Object.assign(sweeping, { messages: 0n, log: 0n, groups: 0n })
  sweeping.version = data_version
}

/** What a transaction did not delete, the next sweep comes to again. */
async function undoneTogether<T>(written: Promise<T>, sweeping: Sweeping): Promise<T> {
  const place = { ...sweeping }
  try {
    return await written
  } catch (error) {
    Object.assign(sweeping, place)
    throw error
  }
}

const APPLICATION = LogEntryKind.values.application
const COMMIT = LogEntryKind.values.commit

/** Empties application messages in the middle of a log, which stays dense. */
function expireMessages(
  connection: Connection,
  { messages, rowsMax }: Horizons,
  { sweeping, sha256 }: { readonly sweeping: Sweeping; readonly sha256: Sha256 },
): Swept {
  const rows = rowsAfter(connection, sweeping.messages, rowsMax)
  const due = before(rows, messages)
  let emptied = 0
  for (const row of due) {
    sweeping.messages = row.row
    if (row.kind !== BigInt(APPLICATION)) continue
    expireRow(connection, row, sha256)
    emptied++
  }
  return { rows: emptied, more: due.length === rowsMax }
}

/** Deletes from the beginning of each log on; the last commit stays, for those who compare with it. */
function deleteEntries(connection: Connection, { log, rowsMax }: Horizons, sweeping: Sweeping): Swept {
  const rows = rowsAfter(connection, sweeping.log, rowsMax)
  const due = before(rows, log)
  let deleted = 0
  for (const row of due) {
    sweeping.log = row.row
    const group = connection.get("SELECT oldest_seq, last_commit_seq FROM mls_group WHERE number = ?", [
      row.group_number,
    ])!
    if (row.seq < group.oldest_seq) continue
    connection.run("UPDATE mls_group SET oldest_seq = ? WHERE number = ?", [row.seq + 1n, row.group_number])
    if (row.kind === BigInt(COMMIT)) deleted += deleteOlderCommits(connection, row)
    if (row.seq !== group.last_commit_seq) deleted += deleteRow(connection, row)
  }
  return { rows: deleted, more: due.length === rowsMax }
}

/** A commit that stayed because it was the last one. */
function deleteOlderCommits(connection: Connection, { group_number, seq }: Row): number {
  const older = connection.all(
    `SELECT rowid AS row, group_number, length(body) AS size FROM log
     WHERE group_number = ? AND kind = 3 AND seq < ?`,
    [group_number, seq],
  )
  return older.reduce((deleted, row) => deleted + deleteRow(connection, row), 0)
}

function rowsAfter(connection: Connection, row: bigint, rowsMax: number): Row[] {
  return connection.all(
    `SELECT rowid AS row, group_number, seq, kind, length(body) AS size, at FROM log
     WHERE rowid > ? ORDER BY rowid LIMIT ?`,
    [row, rowsMax],
  )
}

/** Up to the first that is not due: what a clock that went back has written is due with what was there before it. */
function before(rows: readonly Row[], horizon: bigint): readonly Row[] {
  const end = rows.findIndex((row) => row.at >= horizon)
  return end < 0 ? rows : rows.slice(0, end)
}

function deleteGroups(
  connection: Connection,
  { groups, rowsMax }: Horizons,
  { sweeping, sha256 }: { readonly sweeping: Sweeping; readonly sha256: Sha256 },
): Swept {
  const rows = connection.all("SELECT number, id, last_at FROM mls_group WHERE number > ? ORDER BY number LIMIT ?", [
    sweeping.groups,
    rowsMax,
  ])
  let deleted = 0
  for (const group of rows) {
    if (group.last_at < groups) {
      if (deleted >= rowsMax) return { rows: deleted, more: true }
      deleted += connection.run(
        "DELETE FROM log WHERE rowid IN (SELECT rowid FROM log WHERE group_number = ? ORDER BY seq LIMIT ?)",
        [group.number, rowsMax],
      )
      if (connection.get("SELECT 1 FROM log WHERE group_number = ? LIMIT 1", [group.number]) !== undefined) {
        // Half a log is not shown: what is left of it is not kept any more.
        connection.run("UPDATE mls_group SET oldest_seq = next_seq WHERE number = ?", [group.number])
        return { rows: deleted, more: true }
      }
      const beside = (table: "knock" | "answer") =>
        connection.all(`SELECT number FROM ${table} WHERE group_number = ?`, [group.number])
      deleteKnocks(connection, beside("knock"))
      deleteAnswers(connection, beside("answer"))
      connection.run("DELETE FROM access_interval WHERE group_number = ?", [group.number])
      connection.run("DELETE FROM group_policy WHERE group_number = ?", [group.number])
      connection.run("INSERT INTO former_group (id) VALUES (?) ON CONFLICT DO NOTHING", [sha256(group.id)])
      deleted += connection.run("DELETE FROM mls_group WHERE number = ?", [group.number])
    }
    sweeping.groups = group.number
  }
  const isEnd = rows.length < rowsMax
  if (isEnd) sweeping.groups = 0n
  return { rows: deleted, more: !isEnd }
}

function deleteInboxEntries(connection: Connection, { inbox, rowsMax }: Horizons): Swept {
  const rows = connection.all("SELECT number, at FROM inbox ORDER BY number LIMIT ?", [rowsMax])
  const due = before(rows, inbox)
  for (const row of due) deleteEntry(connection, row.number)
  return { rows: due.length, more: due.length === rowsMax }
}

function deleteBeside(connection: Connection, { knocks, rowsMax }: Horizons): Swept {
  const dueOf = (table: "knock" | "answer") =>
    before(connection.all(`SELECT number, at FROM ${table} ORDER BY number LIMIT ?`, [rowsMax]), knocks)
  const [dueKnocks, dueAnswers] = [dueOf("knock"), dueOf("answer")]
  const rows = deleteKnocks(connection, dueKnocks) + deleteAnswers(connection, dueAnswers)
  return { rows, more: dueKnocks.length === rowsMax || dueAnswers.length === rowsMax }
}
