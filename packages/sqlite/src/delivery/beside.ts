import type { Knock } from "@conclave/contracts/knocks"
import type { Sha256 } from "@conclave/contracts/log-chain"
import { equalBytes } from "@conclave/crypto"
import type {
  Beside,
  BesidePage,
  Lasting,
  NewCommit,
  NewKnock,
  Refusal,
  Refused,
  Shown,
  StoredAnswer,
  WaitingKnocks,
} from "@conclave/delivery/store"
import type { Connection, Row } from "../database.js"
import { permitted } from "./access.js"
import { releaseBlob, useBlob } from "./blobs.js"
import { admission, budgetValues, OF_USE, SET_BUDGETS } from "./use.js"

type Left = { readonly type: "left" | "repeated" | "idReused" }

export function leaveKnock(connection: Connection, added: NewKnock): Left | Refused | Refusal {
  const found = permitted(connection, added)
  if (found.type !== "permitted") return found
  const group: bigint = found.group.number
  deleteKnocks(
    connection,
    connection.all("SELECT number FROM knock WHERE group_number = ? AND at < ?", [group, added.since]),
  )
  deleteAnswers(
    connection,
    connection.all("SELECT number FROM answer WHERE group_number = ? AND at < ?", [group, added.since]),
  )
  const present = presentKnock(connection, group, added)
  if (present !== undefined) return present
  const use = connection.get(`SELECT number, ${OF_USE} FROM mls_group WHERE number = ?`, [group])!
  const admitted = admission(use, added)
  if ("refusal" in admitted) return admitted.refusal
  connection.run(`UPDATE mls_group SET ${SET_BUDGETS} WHERE number = ?`, [...budgetValues(admitted.budgets), group])
  makeRoom(connection, group, added)
  connection.run(
    `INSERT INTO knock (group_number, id, access_key, sealed, sender, beside, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    [group, added.id, added.key!, added.sealed, added.sender, nextBeside(connection, group), added.at],
  )
  return { type: "left" }
}

function presentKnock(connection: Connection, group: bigint, { id, key, sealed }: NewKnock): Left | undefined {
  const knock = connection.get("SELECT access_key, sealed FROM knock WHERE group_number = ? AND id = ?", [group, id])
  const answer = connection.get("SELECT access_key FROM answer WHERE group_number = ? AND knock_id = ?", [group, id])
  const present = knock ?? answer
  if (present === undefined) return undefined
  const isSame = equalBytes(present.access_key, key!) && (knock === undefined || equalBytes(knock.sealed, sealed))
  return { type: isSame ? "repeated" : "idReused" }
}

/** The sender with the most knocks of the key, the new one counted, loses its oldest. */
function makeRoom(connection: Connection, group: bigint, { key, sender, ofKeyMax }: NewKnock): void {
  const { count } = connection.get("SELECT count(*) AS count FROM knock WHERE group_number = ? AND access_key = ?", [
    group,
    key!,
  ])!
  if (count < ofKeyMax) return
  const oldest = connection.get(
    `SELECT min(number) AS number FROM knock WHERE group_number = ? AND access_key = ?
     GROUP BY sender ORDER BY count(*) + (sender = ?) DESC, number LIMIT 1`,
    [group, key!, sender],
  )!
  deleteKnocks(connection, [oldest])
}

function nextBeside(connection: Connection, group: bigint): bigint {
  connection.run("UPDATE mls_group SET beside = beside + 1 WHERE number = ?", [group])
  return connection.get("SELECT beside FROM mls_group WHERE number = ?", [group])!.beside
}

interface Answering {
  readonly groupNumber: bigint
  readonly seq: bigint
  readonly at: bigint
  readonly commit: NewCommit
  readonly sha256: Sha256
}

/** Puts answers in the place of those of the knocks that wait. */
export function keepAnswers(connection: Connection, { groupNumber, seq, at, commit, sha256 }: Answering): void {
  const { answers, knocksSince } = commit
  let hash: Uint8Array | undefined
  const hashOnce = (...parts: readonly Uint8Array[]) => {
    hash ??= sha256(...parts)
    return hash
  }
  for (const { knock, key } of answers?.to ?? []) {
    const found = connection.get("SELECT number, access_key FROM knock WHERE group_number = ? AND id = ? AND at >= ?", [
      groupNumber,
      knock,
      knocksSince,
    ])
    if (found === undefined) continue
    deleteKnocks(connection, [found])
    const welcomeHash = useBlob(connection, answers!.welcome, hashOnce)
    connection.run(
      `INSERT INTO answer (group_number, knock_id, access_key, seq, sealed_key, welcome_hash, beside, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      [groupNumber, knock, found.access_key, seq, key, welcomeHash, nextBeside(connection, groupNumber), at],
    )
  }
}

const KNOCK = "id, access_key, sealed, at"

export function waitingKnocks(
  connection: Connection,
  { since, sizeMax, ...shown }: Shown & Lasting & { readonly sizeMax: number },
): WaitingKnocks | Refused {
  const found = permitted(connection, shown)
  if (found.type !== "permitted") return found
  const numbers = connection.all(
    `SELECT number, length(sealed) AS size FROM knock WHERE group_number = ? AND at >= ?
     ORDER BY row_number() OVER (PARTITION BY sender ORDER BY number), number`,
    [found.group.number, since],
  )
  const knocks: Knock[] = []
  let size = 0
  for (const row of numbers) {
    size += Number(row.size)
    if (knocks.length > 0 && size > sizeMax) break
    knocks.push(knockOf(connection.get(`SELECT ${KNOCK} FROM knock WHERE number = ?`, [row.number])!))
  }
  return { type: "knocks", knocks }
}

const knockOf = ({ id, access_key, sealed, at }: Row): Knock => ({ id, key: access_key, sealed, at })

export function besideOf(connection: Connection, asked: Shown & Lasting & BesidePage): Beside | Refused {
  const found = permitted(connection, asked)
  if (found.type !== "permitted") return found
  const { group, standing } = found
  const { since, limit, knocksAfter, answeredAfter } = asked
  const reachesHead = standing.reach === undefined
  const knocks = reachesHead
    ? connection.all(
        `SELECT beside, ${KNOCK} FROM knock WHERE group_number = ? AND beside > ? AND at >= ? ORDER BY number LIMIT ?`,
        [group.number, knocksAfter, since, limit],
      )
    : []
  const answered = connection.all(
    `SELECT beside, knock_id FROM answer WHERE group_number = ? AND access_key = ? AND beside > ? AND at >= ?
     ORDER BY beside LIMIT ?`,
    [group.number, asked.key ?? null, answeredAfter, since, limit],
  )
  const upTo = (page: readonly Row[]) => (page.length < limit ? standing.beside : page.at(-1)!.beside)
  return {
    type: "beside",
    knocks: knocks.map(knockOf),
    answered: answered.map((row) => row.knock_id),
    knocksUpTo: reachesHead ? upTo(knocks) : knocksAfter,
    answeredUpTo: upTo(answered),
  }
}

export function answerTo(
  connection: Connection,
  { since, id, ...shown }: Shown & Lasting & { readonly id: Uint8Array },
): StoredAnswer | { readonly type: "none" } | Refused {
  const found = permitted(connection, shown)
  if (found.type !== "permitted") return found
  const row = connection.get(
    `SELECT seq, sealed_key, body FROM answer JOIN blob ON blob.hash = welcome_hash
     WHERE group_number = ? AND knock_id = ? AND access_key = ? AND at >= ?`,
    [found.group.number, id, shown.key ?? null, since],
  )
  if (row === undefined) return { type: "none" }
  return { type: "answer", seq: row.seq, key: row.sealed_key, welcome: row.body }
}

/** Returns how many were deleted. */
export function deleteKnocks(connection: Connection, rows: readonly Row[]): number {
  return rows.reduce((sum, { number }) => sum + connection.run("DELETE FROM knock WHERE number = ?", [number]), 0)
}

/** Returns how many were deleted. */
export function deleteAnswers(connection: Connection, rows: readonly Row[]): number {
  for (const { number } of rows) {
    const { welcome_hash } = connection.get("SELECT welcome_hash FROM answer WHERE number = ?", [number])!
    connection.run("DELETE FROM answer WHERE number = ?", [number])
    releaseBlob(connection, welcome_hash)
  }
  return rows.length
}
