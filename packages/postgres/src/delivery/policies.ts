import { randomBytes } from "node:crypto"
import { decode, encode } from "@conclave/codec"
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
import type { Connection } from "../connection.js"
import { bigintArray, type Row } from "../values.js"
import { permitted, permittedAlone } from "./access.js"
import { deleteRows, takeOff } from "./entries.js"
import { beginClosing, deleteBodies } from "./operated.js"
import { retainedIn } from "./partitions.js"
import { APPLICATION, EXPIRED_SIZE } from "./sizes.js"
import { type admittingOnce, takeFromBudgets } from "./use.js"

export async function policyOf(connection: Connection, shown: Shown): Promise<FoundPolicy | Refused> {
  const found = await permitted(connection, shown)
  if (found.type !== "permitted") return found
  return { type: "policy", policy: await policyIn(connection, found.group.number) }
}

export async function changePolicy(
  connection: Connection,
  asked: PolicyChange,
  admit: ReturnType<typeof admittingOnce>,
): Promise<FoundPolicy | Refused | Refusal> {
  const found = await permittedAlone(connection, asked)
  if (found.type !== "permitted") return found
  const { number } = found.group
  const present = await policyIn(connection, number)
  const policy = asked.change(present)
  if (policy === undefined) return { type: "policy", policy: present }
  const refusal = await takeFromBudgets(connection, number, admit)
  if (refusal !== undefined) return refusal
  // The next sweep finds out what is due.
  await connection.run(
    `INSERT INTO group_policy (group_number, policy, due_at) VALUES ($1, $2, $3)
     ON CONFLICT (group_number) DO UPDATE SET policy = excluded.policy, due_at = excluded.due_at`,
    [number, encode(GroupPolicy, policy), asked.at],
  )
  return { type: "policy", policy }
}

async function policyIn(connection: Connection, group: bigint): Promise<GroupPolicy> {
  const row = await connection.get("SELECT policy FROM group_policy WHERE group_number = $1", [group])
  return row === undefined ? noPolicy : decode(GroupPolicy, row.policy)
}

/** Does what the policy of one group has made due: of the groups, the one that comes first. */
export async function carryOutPolicy(
  connection: Connection,
  { at, rowsMax }: Horizons,
  sha256: Sha256,
): Promise<Swept> {
  const first = await connection.get(
    "SELECT group_number FROM group_policy WHERE due_at <= $1 ORDER BY due_at, group_number LIMIT 1",
    [at],
  )
  if (first === undefined) return { rows: 0, more: false }
  const { group_number } = first
  // Nothing is appended to it, and its policy stays, until the transaction ends.
  const group = await connection.get(
    "SELECT number, id, next_seq, oldest_seq, last_commit_seq FROM mls_group WHERE number = $1 FOR UPDATE",
    [group_number],
  )
  if (group === undefined) {
    await connection.run("DELETE FROM group_policy WHERE group_number = $1", [group_number])
    return { rows: 0, more: true }
  }
  return carryOut(connection, group, { at, rowsMax, sha256 })
}

interface Sweeping {
  readonly at: bigint
  readonly rowsMax: number
  readonly sha256: Sha256
}

async function carryOut(connection: Connection, group: Row, { at, rowsMax, sha256 }: Sweeping): Promise<Swept> {
  const { number } = group
  const held = await connection.get("SELECT policy, expired_seq FROM group_policy WHERE group_number = $1", [number])
  if (held === undefined) return { rows: 0, more: true }
  const policy = decode(GroupPolicy, held.policy)
  const due = dueBy(policy, { at, headSeq: group.next_seq - 1n })
  if (due.isGone) {
    await beginClosing(connection, { groupId: group.id, asId: randomBytes(32), sha256 })
    await connection.run("UPDATE retention SET group_number = 0")
    return { rows: 1, more: true }
  }
  const expired = await expireMessages(connection, { ...group, ...held }, { before: due.messages, rowsMax })
  const deleted = await deleteEntries(connection, group, { before: due.log, rowsMax })
  if (expired.isDone && deleted.isDone) {
    const next = nextDue(policy, { at, messageAt: expired.nextAt, entryAt: deleted.nextAt })
    await connection.run("UPDATE group_policy SET due_at = $2 WHERE group_number = $1", [number, next ?? null])
  }
  return { rows: expired.rows + deleted.rows, more: true }
}

interface Before {
  readonly before: bigint | undefined
  readonly rowsMax: number
}

/** What is left of one is a row of the size of a hash, without a body: as what has expired by the operator's horizon. */
async function expireMessages(
  connection: Connection,
  { number, expired_seq }: Row,
  { before, rowsMax }: Before,
): Promise<Done> {
  if (before === undefined) return nothingDone
  const found = await connection.all(
    `SELECT group_number, seq, size, at FROM log WHERE group_number = $1 AND seq > $2 AND kind = ${APPLICATION}
     ORDER BY seq LIMIT $3`,
    [number, expired_seq, rowsMax + 1],
  )
  const { due, done } = duePart(found, { before, rowsMax })
  if (due.length === 0) return done
  const { counted } = await retainedIn(connection)
  // The sizes of those that are counted have been taken off the group.
  const bytes = due.reduce((sum, { size, at }) => (at < counted ? sum : sum + BigInt(size - EXPIRED_SIZE)), 0n)
  await connection.run(`UPDATE log SET size = ${EXPIRED_SIZE} WHERE group_number = $1 AND seq = ANY($2::bigint[])`, [
    number,
    bigintArray(due.map(({ seq }) => seq)),
  ])
  await deleteBodies(connection, due)
  await takeOff(connection, [{ group_number: number, bytes }])
  await connection.run("UPDATE group_policy SET expired_seq = $2 WHERE group_number = $1", [number, due.at(-1)!.seq])
  return done
}

/** From the beginning of the log on; the last commit stays, and so do the public keys of intervals. */
async function deleteEntries(
  connection: Connection,
  { number, oldest_seq, last_commit_seq }: Row,
  { before, rowsMax }: Before,
): Promise<Done> {
  if (before === undefined) return nothingDone
  const found = await connection.all(
    `SELECT group_number, seq, kind, size, at FROM log WHERE group_number = $1 AND (seq >= $2 OR seq <> $3)
     ORDER BY seq LIMIT $4`,
    [number, oldest_seq, last_commit_seq, rowsMax + 1],
  )
  const { due, done } = duePart(found, { before, rowsMax })
  if (due.length === 0) return done
  const gone = due.filter(({ seq }) => seq !== last_commit_seq)
  await connection.run("DELETE FROM superseded_commit WHERE group_number = $1 AND seq = ANY($2::bigint[])", [
    number,
    bigintArray(gone.map(({ seq }) => seq)),
  ])
  await connection.run("UPDATE mls_group SET oldest_seq = greatest(oldest_seq, $2) WHERE number = $1", [
    number,
    due.at(-1)!.seq + 1n,
  ])
  return { ...done, rows: await deleteRows(connection, gone) }
}
