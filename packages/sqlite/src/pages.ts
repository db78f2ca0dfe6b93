import type { Connection, Row, SqlValue } from "./database.js"

interface Paging {
  readonly columns: string
  /** Tables and joins. */
  readonly from: string
  readonly where?: string
  /** Columns that order the rows, each row by others, and what lies before the first. */
  readonly key: readonly string[]
  readonly start: readonly SqlValue[]
  /** About how many bytes a row has. */
  readonly size?: string
}

const ROWS_MAX = 1_000
const SIZE_MAX = 4 * 1024 * 1024

/** All rows, some megabytes at a time, but one row at least: how much there is of them is looked at first. */
export function* pagesOf(connection: Connection, paging: Paging): Generator<readonly Row[]> {
  const { columns, from, where = "true", key, start, size = "0" } = paging
  const place = `(${key.join(", ")})`
  const asked = `(${key.map(() => "?").join(", ")})`
  const names = key.map((column, index) => `${column} AS key_${index}`).join(", ")
  const order = `ORDER BY ${key.join(", ")}`
  const sizes = `SELECT ${names}, ${size} AS size FROM ${from} WHERE ${place} > ${asked} AND ${where} ${order} LIMIT ${ROWS_MAX}`
  const rows = `SELECT ${columns} FROM ${from} WHERE ${place} > ${asked} AND ${place} <= ${asked} AND ${where} ${order}`
  for (let after = start; ; ) {
    const last = lastOfPage(connection.all(sizes, after))
    if (last === undefined) return
    const upTo: readonly SqlValue[] = key.map((_, index) => last[`key_${index}`])
    yield connection.all(rows, [...after, ...upTo])
    after = upTo
  }
}

function lastOfPage(rows: readonly Row[]): Row | undefined {
  let size = 0
  const end = rows.findIndex((row, index) => {
    size += Number(row.size)
    return index > 0 && size > SIZE_MAX
  })
  return rows.at(end < 0 ? -1 : end - 1)
}
