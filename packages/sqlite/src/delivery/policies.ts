import { randomBytes } from "node:crypto"
import { decode, encode } from "@conclave/codec"
import { LogEntryKind } from "@conclave/contracts/delivery"
import type { Sha256 } from "@conclave/contracts/log-chain"
import {
  type Done,
  dueBy,
  duePart,
  type FoundPolicy,
  GroupPolicy,
  type Horizons,
  nextDue,
  noPolicy,
  nothingDone,
  type PolicyChange,
  type Refusal,
  type Refused,
  type Shown,
  type Swept,
} from "@conclave/delivery/store"
import type { Connection, Row } from "../database.js"
import { permitted } from "./access.js"
import { deleteRow, expireRow } from "./entries.js"
import { beginClosing } from "./operated.js"
import { admission, budgetValues, OF_USE, SET_BUDGETS } from "./use.js"

export function policyOf(connection: Connection, shown: Shown): FoundPolicy | Refused {
  const found = permitted(connection, shown)
  return found.type === "permitted" ? { type: "policy", policy: policyIn(connection, found.group.number) } : found
}

export function changePolicy(connection: Connection, asked: PolicyChange): FoundPolicy | Refused | Refusal {
  const found = permitted(connection, asked)
  if (found.type !== "permitted") return found
  const { number } = found.group
  const present = policyIn(connection, number)
  const policy = asked.change(present)
  if (policy === undefined) return { type: "policy", policy: present }
  const use = connection.get(`SELECT ${OF_USE} FROM mls_group WHERE number = ?`, [number])!
  const admitted = admission(use, asked)
  if ("refusal" in admitted) return admitted.refusal
  connection.run(`UPDATE mls_group SET ${SET_BUDGETS} WHERE number = ?`, [...budgetValues(admitted.budgets), number])
  // The next sweep finds out what is due.
  connection.run(
    `INSERT INTO group_policy (group_number, policy, due_at) VALUES (?, ?, ?)
     ON CONFLICT (group_number) DO UPDATE SET policy = excluded.policy, due_at = excluded.due_at`,
    [number, encode(GroupPolicy, policy), asked.at],
  )
  return { type: "policy", policy }
}

function policyIn(connection: Connection, group: bigint): GroupPolicy {
  const row = connection.get("SELECT policy FROM group_policy WHERE group_number = ?", [group])
  return row === undefined ? noPolicy : decode(GroupPolicy, row.policy)
}

/** Does what policies have made due: groups that come first to be due come first. */
export function carryOutPolicies(connection: Connection, { at, rowsMax }: Horizons, sha256: Sha256): Swept {
  const due = connection.all(
    `SELECT group_number, group_policy.policy, expired_seq, id, next_seq, oldest_seq, last_commit_seq FROM group_policy
     JOIN mls_group ON number = group_number WHERE due_at <= ? ORDER BY due_at LIMIT ?`,
    [at, rowsMax],
  )
  let rows = 0
  for (const group of due) {
    rows += carryOut(connection, group, { at, rowsMax, sha256 })
    if (rows >= rowsMax) return { rows, more: true }
  }
  return { rows, more: due.length === rowsMax }
}

interface Sweeping {
  readonly at: bigint
  readonly rowsMax: number
  readonly sha256: Sha256
}

function carryOut(connection: Connection, group: Row, { at, rowsMax, sha256 }: Sweeping): number {
  const policy = decode(GroupPolicy, group.policy)
  const due = dueBy(policy, { at, headSeq: group.next_seq - 1n })
  if (due.isGone) {
    beginClosing(connection, { groupId: group.id, asId: randomBytes(32), sha256 })
    return 1
  }
  const expired = expireMessages(connection, group, { before: due.messages, rowsMax, sha256 })
  const deleted = deleteEntries(connection, group, { before: due.log, rowsMax })
  const rows = expired.rows + deleted.rows
  if (!expired.isDone || !deleted.isDone) return Math.max(rows, rowsMax)
  const next = nextDue(policy, { at, messageAt: expired.nextAt, entryAt: deleted.nextAt })
  connection.run("UPDATE group_policy SET due_at = ? WHERE group_number = ?", [next ?? null, group.group_number])
  return rows
}

function expireMessages(
  connection: Connection,
  { group_number, expired_seq }: Row,
  { before, rowsMax, sha256 }: { before: bigint | undefined; rowsMax: number; sha256: Sha256 },
): Done {
  if (before === undefined) return nothingDone
  const found = connection.all(
    `SELECT rowid AS row, group_number, seq, at FROM log
     WHERE group_number = ? AND seq > ? AND kind = ${LogEntryKind.values.application} ORDER BY seq LIMIT ?`,
    [group_number, expired_seq, rowsMax + 1],
  )
  const { due, done } = duePart(found, { before, rowsMax })
  for (const row of due) expireRow(connection, row, sha256)
  if (due.length > 0) {
    connection.run("UPDATE group_policy SET expired_seq = ? WHERE group_number = ?", [due.at(-1)!.seq, group_number])
  }
  return done
}

/** From the beginning of the log on; the last commit stays, and so do the public keys of intervals. */
function deleteEntries(
  connection: Connection,
  { group_number, oldest_seq, last_commit_seq }: Row,
  { before, rowsMax }: { before: bigint | undefined; rowsMax: number },
): Done {
  if (before === undefined) return nothingDone
  const found = connection.all(
    `SELECT rowid AS row, group_number, seq, length(body) AS size, at FROM log
     WHERE group_number = ? AND (seq >= ? OR seq <> ?) ORDER BY seq LIMIT ?`,
    [group_number, oldest_seq, last_commit_seq, rowsMax + 1],
  )
  const { due, done } = duePart(found, { before, rowsMax })
  const deleted = due.filter(({ seq }) => seq !== last_commit_seq)
  for (const row of deleted) deleteRow(connection, row)
  const last = due.at(-1)
  if (last !== undefined) {
    connection.run("UPDATE mls_group SET oldest_seq = max(oldest_seq, ?) WHERE number = ?", [
      last.seq + 1n,
      group_number,
    ])
  }
  return { ...done, rows: deleted.length }
}
