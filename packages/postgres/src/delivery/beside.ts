import type { Knock } from "@conclave/contracts/knocks"
import { equalBytes } from "@conclave/crypto"
import type {
  Beside,
  BesidePage,
  Lasting,
  NewKnock,
  Refusal,
  Refused,
  Shown,
  StoredAnswer,
  WaitingKnocks,
} from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { bigintArray, type Row } from "../values.js"
import { permitted, permittedAlone } from "./access.js"
import { firstPage, releaseAll } from "./inbox.js"
import { tell } from "./news.js"
import { type admittingOnce, takeFromBudgets } from "./use.js"

type Left = { readonly type: "left" | "repeated" | "idReused" }

export async function leaveKnock(
  connection: Connection,
  added: NewKnock,
  admit: ReturnType<typeof admittingOnce>,
): Promise<Left | Refused | Refusal> {
  const found = await permittedAlone(connection, added)
  if (found.type !== "permitted") return found
  const group: bigint = found.group.number
  await connection.run("DELETE FROM knock WHERE group_number = $1 AND at < $2", [group, added.since])
  const answers = await connection.all(
    "DELETE FROM answer WHERE group_number = $1 AND at < $2 RETURNING welcome_hash",
    [group, added.since],
  )
  const left =
    (await presentKnock(connection, group, added)) ??
    (await takeFromBudgets(connection, group, admit)) ??
    (await leave(connection, group, added))
  if (left.type === "left") await tell(connection, { groups: [added.groupId] })
  await releaseAll(
    connection,
    answers.map(({ welcome_hash }) => welcome_hash),
  )
  return left
}

async function presentKnock(connection: Connection, group: bigint, { id, key, sealed }: NewKnock) {
  const knock = await connection.get("SELECT access_key, sealed FROM knock WHERE group_number = $1 AND id = $2", [
    group,
    id,
  ])
  const answer = await connection.get("SELECT access_key FROM answer WHERE group_number = $1 AND knock_id = $2", [
    group,
    id,
  ])
  const present = knock ?? answer
  if (present === undefined) return undefined
  const isSame = equalBytes(present.access_key, key!) && (knock === undefined || equalBytes(knock.sealed, sealed))
  return { type: isSame ? "repeated" : "idReused" } as const
}

async function leave(connection: Connection, group: bigint, added: NewKnock): Promise<Left> {
  const { id, key, sealed, sender, at, ofKeyMax } = added
  // The sender with the most knocks of the key, the new one counted, loses its oldest.
  await connection.run(
    `DELETE FROM knock WHERE number = (
       SELECT min(number) FROM knock WHERE group_number = $1 AND access_key = $2
         AND (SELECT count(*) FROM knock WHERE group_number = $1 AND access_key = $2) >= $4
       GROUP BY sender ORDER BY count(*) + (sender = $3)::integer DESC, min(number) LIMIT 1
     )`,
    [group, key!, sender, ofKeyMax],
  )
  await connection.run(
    `WITH became AS (UPDATE mls_group SET beside = beside + 1 WHERE number = $1 RETURNING beside)
     INSERT INTO knock (group_number, id, access_key, sealed, sender, beside, at)
     SELECT $1, $2, $3, $4, $5, beside, $6 FROM became`,
    [group, id, key!, sealed, sender, at],
  )
  return { type: "left" }
}

export async function waitingKnocks(
  connection: Connection,
  { since, sizeMax, ...shown }: Shown & Lasting & { readonly sizeMax: number },
): Promise<WaitingKnocks | Refused> {
  const found = await permitted(connection, shown)
  if (found.type !== "permitted") return found
  const rows = await connection.all(
    `SELECT number, octet_length(sealed) AS size FROM knock WHERE group_number = $1 AND at >= $2
     ORDER BY row_number() OVER (PARTITION BY sender ORDER BY number), number`,
    [found.group.number, since],
  )
  const numbers: bigint[] = firstPage(rows, sizeMax).map(({ number }) => number)
  if (numbers.length === 0) return { type: "knocks", knocks: [] }
  const knocks = await connection.all(`SELECT number, ${KNOCK} FROM knock WHERE number = ANY($1::bigint[])`, [
    bigintArray(numbers),
  ])
  const byNumber = new Map(knocks.map((row) => [row.number, knockOf(row)]))
  return { type: "knocks", knocks: numbers.map((number) => byNumber.get(number)!) }
}

const KNOCK = "id, access_key, sealed, at"
const knockOf = ({ id, access_key, sealed, at }: Row): Knock => ({ id, key: access_key, sealed, at })

export async function besideOf(connection: Connection, asked: Shown & Lasting & BesidePage): Promise<Beside | Refused> {
  const found = await permitted(connection, asked)
  if (found.type !== "permitted") return found
  const { group, standing } = found
  const { since, limit, knocksAfter, answeredAfter, key } = asked
  const reachesHead = standing.reach === undefined
  const knocks = reachesHead
    ? await connection.all(
        `SELECT beside, ${KNOCK} FROM knock WHERE group_number = $1 AND beside > $2 AND at >= $3
         ORDER BY number LIMIT $4`,
        [group.number, knocksAfter, since, limit],
      )
    : []
  const answered = await connection.all(
    `SELECT beside, knock_id FROM answer WHERE group_number = $1 AND access_key = $2 AND beside > $3 AND at >= $4
     ORDER BY beside LIMIT $5`,
    [group.number, key ?? null, answeredAfter, since, limit],
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

export async function answerTo(
  connection: Connection,
  { since, id, ...shown }: Shown & Lasting & { readonly id: Uint8Array },
): Promise<StoredAnswer | { readonly type: "none" } | Refused> {
  const found = await permitted(connection, shown)
  if (found.type !== "permitted") return found
  const row = await connection.get(
    `SELECT seq, sealed_key, body FROM answer JOIN blob ON blob.hash = welcome_hash
     WHERE group_number = $1 AND knock_id = $2 AND access_key = $3 AND at >= $4`,
    [found.group.number, id, shown.key ?? null, since],
  )
  if (row === undefined) return { type: "none" }
  return { type: "answer", seq: row.seq, key: row.sealed_key, welcome: row.body }
}
