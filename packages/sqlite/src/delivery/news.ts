import type { News, NewsMark } from "@conclave/delivery/store"
import type { Connection } from "../database.js"

/**
 * Rows are numbered as they are written, so what is new has a number above the mark: four looks into indexes where
 * nothing is new, whoever waits for what.
 */
export function newsSince(connection: Connection, mark: NewsMark | undefined): News {
  const present: readonly bigint[] = [
    connection.get("SELECT coalesce(max(rowid), 0) AS number FROM log")!.number,
    connection.get("SELECT coalesce(max(number), 0) AS number FROM inbox")!.number,
    connection.get("SELECT coalesce(max(number), 0) AS number FROM knock")!.number,
    connection.get("SELECT coalesce(max(number), 0) AS number FROM action_news")!.number,
  ]
  if (mark === undefined) return { mark: present, groups: [], devices: [], everything: false }
  // Where the newest rows were deleted, their numbers are given again: better too much is told than too little.
  const [log, inbox, knocks, actions] = present.map((newest, index) => {
    const number = BigInt(mark[index] ?? 0n)
    return number > newest ? 0n : number
  }) as [bigint, bigint, bigint, bigint]
  const groups = connection.all(
    `SELECT id FROM mls_group WHERE number IN
       (SELECT group_number FROM log WHERE rowid > ? UNION SELECT group_number FROM knock WHERE number > ?)
     UNION SELECT group_id FROM action_news WHERE number > ? AND group_id IS NOT NULL`,
    [log, knocks, actions],
  )
  const devices = connection.all(
    `SELECT device_id AS id FROM inbox WHERE number > ?
     UNION SELECT device_id FROM action_news WHERE number > ? AND device_id IS NOT NULL`,
    [inbox, actions],
  )
  const ids = { groups: groups.map((row) => row.id), devices: devices.map((row) => row.id) }
  return { mark: present, ...ids, everything: false }
}
