import type { DayKeyStore, SealedDayKeys } from "@conclave/fast-open/store"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { CLOCK, migrateFastOpen } from "./schema.js"

/**
 * The keys of the day that gateways share, sealed under a secret that the database does not have. The database stays its
 * owner's to close.
 *
 * A row that is deleted stays in pages, the write-ahead log, replicas and backups for a time, still sealed.
 *
 * @throws {StoreUnavailable} when the tables cannot be brought up to date now, or are of a later version.
 */
export async function dayKeyStore(database: Database): Promise<DayKeyStore> {
  await migrateFastOpen(database)
  return {
    read: () => database.look(keysOf),
    rotate: (next) =>
      database.write(async (connection) => {
        await connection.get(
          "SELECT pg_advisory_xact_lock(hashtext('conclave day keys'), hashtext(current_schema()))::text",
        )
        await connection.run(`DELETE FROM day_key WHERE destroy_at <= ${CLOCK}`)
        const added = next(await keysOf(connection))
        if (added !== undefined) {
          const { id, sealed, announceAt, destroyAt } = added
          await connection.run(
            "INSERT INTO day_key (id, sealed, announce_at, destroy_at) VALUES ($1::bigint, $2, $3::bigint, $4::bigint)",
            [BigInt(id), sealed, BigInt(Math.floor(announceAt)), BigInt(Math.floor(destroyAt))],
          )
        }
        return keysOf(connection)
      }),
  }
}

async function keysOf(connection: Connection): Promise<SealedDayKeys> {
  const rows = await connection.all(
    `SELECT ${CLOCK} AS now, id, sealed, announce_at, destroy_at
     FROM (SELECT 1) AS one LEFT JOIN day_key ON true ORDER BY announce_at, id`,
  )
  const keys = rows.flatMap(({ id, sealed, announce_at, destroy_at }) =>
    id === null ? [] : [{ id: Number(id), sealed, announceAt: Number(announce_at), destroyAt: Number(destroy_at) }],
  )
  return { keys, now: Number(rows[0]!.now) }
}
