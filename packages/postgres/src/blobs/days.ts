import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import { failureCode } from "../failures.js"

const DAY_MILLISECONDS = 86_400_000n
const DROP_MILLISECONDS = 500
/** Clocks of gateways differ: none makes a blob for a day that another one drops. */
const CLOCKS_MILLISECONDS = 3_600_000n

export const dayOf = (until: bigint): bigint => until / DAY_MILLISECONDS
/** The partition itself: a statement on the whole table would lock every partition of it. */
export const chunksOf = (day: bigint): string => `blob_chunk_${day}`

/** The partitions of `blob_chunk`: what expires on the same day is dropped together, and its room is free at once. */
export class Days {
  readonly #database: Database
  /** Those that this process has met. A blob that expires on one keeps it from being dropped. */
  readonly #known = new Set<bigint>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Makes the day's partition where it is not there. */
  async make(day: bigint): Promise<void> {
    if (this.#known.has(day)) return
    await this.#database.write(async (connection) => {
      await lockDays(connection)
      if ((await connection.get("SELECT 1 FROM blob_day WHERE day = $1", [day])) !== undefined) return
      await connection.run("INSERT INTO blob_day (day) VALUES ($1)", [day])
      // Attaching lets others read and write meanwhile, as making it a partition at once does not.
      await connection.script(`
        CREATE TABLE ${chunksOf(day)} (LIKE blob_chunk INCLUDING ALL);
        ALTER TABLE blob_chunk ATTACH PARTITION ${chunksOf(day)} FOR VALUES IN (${day})`)
    })
    this.#known.add(day)
  }

  /** Drops the partition of a day that is over and whose blobs are all gone. Returns whether it has dropped one. */
  async dropOne(at: bigint): Promise<boolean> {
    try {
      return await this.#database.write(async (connection) => {
        await lockDays(connection)
        const due = await connection.get("SELECT day FROM blob_day WHERE day < $1 ORDER BY day LIMIT 1", [
          dayOf(at - CLOCKS_MILLISECONDS),
        ])
        if (due === undefined) return false
        const day: bigint = due.day
        const kept = await connection.get("SELECT 1 FROM stored_blob WHERE until >= $1 AND until < $2 LIMIT 1", [
          day * DAY_MILLISECONDS,
          (day + 1n) * DAY_MILLISECONDS,
        ])
        if (kept !== undefined) return false
        await connection.script(`SET LOCAL lock_timeout = '${DROP_MILLISECONDS}ms'; DROP TABLE ${chunksOf(day)}`)
        await connection.run("DELETE FROM blob_day WHERE day = $1", [day])
        this.#known.delete(day)
        return true
      })
    } catch (error) {
      // A long transaction reads from it: the next sweep tries again.
      if (failureCode(error) === "55P03") return false
      throw error
    }
  }
}

async function lockDays(connection: Connection): Promise<void> {
  await connection.get("SELECT pg_advisory_xact_lock(hashtext('conclave blobs'), hashtext(current_schema()))::text")
}
