import { decode } from "@conclave/codec"
import { Interval } from "@conclave/contracts/access"
import { type Entry, LogEntryKind } from "@conclave/contracts/delivery"
import type { LogPage, Page, Refused, Shown } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import { bigintArray, type Row } from "../values.js"
import { permitted } from "./access.js"
import { firstPage } from "./inbox.js"
import { kindOf } from "./kinds.js"
import { retainedIn } from "./partitions.js"
import { APPLICATION, EXPIRED_SIZE } from "./sizes.js"

/** What a page has is decided before a body is read. */
export async function readLog(connection: Connection, page: Page & Shown): Promise<LogPage | Refused> {
  const found = await permitted(connection, page)
  if (found.type !== "permitted") return found
  const { group, standing } = found
  const { headSeq } = standing
  const { messages } = await retainedIn(connection)
  const rows = await connection.all(
    `SELECT seq, kind, epoch, at, body_hash, chain_hash, begins,
       CASE WHEN kind = ${APPLICATION} AND at < $5 THEN ${EXPIRED_SIZE} ELSE size END AS size
     FROM log WHERE group_number = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4`,
    [group.number, page.after, headSeq, page.limit, messages],
  )
  const kept = firstPage(rows, page.sizeMax)
  const isKept = (row: Row) => row.kind !== APPLICATION || row.at >= messages
  const bodies = await bodiesOf(connection, group.number, kept.filter(isKept))
  const entries = kept.map((row) => entryOf(row, bodies.get(row.seq)))
  return { type: "page", entries, headSeq, oldestSeq: group.oldest_seq, standing }
}

/** By seq. Those of messages are missing where their partition was dropped a moment ago. */
async function bodiesOf(
  connection: Connection,
  group: bigint,
  rows: readonly Row[],
): Promise<ReadonlyMap<bigint, Uint8Array>> {
  const messages = rows.filter(({ kind }) => kind === APPLICATION)
  const others = rows.filter(({ kind }) => kind !== APPLICATION)
  const seqs = (list: readonly Row[]) => bigintArray(list.map(({ seq }) => seq))
  const found: Row[] = []
  if (others.length > 0) {
    const sql = "SELECT seq, body FROM log WHERE group_number = $1 AND seq = ANY($2::bigint[])"
    found.push(...(await connection.all(sql, [group, seqs(others)])))
  }
  if (messages.length > 0) {
    const times = messages.map(({ at }) => at as bigint)
    const bounds = [times.reduce((a, b) => (a < b ? a : b)), times.reduce((a, b) => (a > b ? a : b))]
    found.push(...(await connection.planned(BODIES, [group, seqs(messages), bigintArray(times), ...bounds])))
  }
  return new Map(found.map(({ seq, body }) => [seq, body]))
}

const BODIES = `
  SELECT message_body.seq, body FROM unnest($2::bigint[], $3::bigint[]) AS asked (seq, at)
  JOIN message_body ON message_body.at = asked.at AND group_number = $1 AND message_body.seq = asked.seq
  WHERE message_body.at BETWEEN $4 AND $5`

function entryOf(row: Row, body: Uint8Array | undefined): Entry {
  const { seq, epoch, at, body_hash, chain_hash } = row
  const begins = row.begins === null ? undefined : decode(Interval, row.begins)
  const kind = body === undefined ? "expired" : kindOf(LogEntryKind.values, row.kind)
  return { seq, kind, epoch, body: body ?? body_hash, begins, chainHash: chain_hash, at }
}
