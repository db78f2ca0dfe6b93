import type { StrikeEntry, StrikeOutcome, StrikeStore } from "@conclave/fast-open/store"
import type { Connection } from "../connection.js"
import type { Database } from "../database.js"
import type { Row } from "../values.js"
import { bigintArray, bytesArray } from "../values.js"
import { CLOCK, migrateFastOpen } from "./schema.js"

export interface StrikeStoreOptions {
  /** How far a request's time may be from the database's clock, in milliseconds. Default 10,000. */
  readonly windowMilliseconds?: number
}

/** Rows are kept for so much longer than they are needed, for a clock that is set back a little. */
const MARGIN_MILLISECONDS = 60_000
const SWEPT_MAX = 10_000

/**
 * The strike register of gateways that share a database, which stays its owner's to close: one with a few connections and
 * short timeouts of its own, or appends would hold requests up.
 *
 * A row is a digest of the request's id, 8 bytes that the gateway drew when it started, and a time. Nothing in it names a
 * client.
 *
 * @throws {StoreUnavailable} when the tables cannot be brought up to date now, or are of a later version.
 */
export async function strikeStore(
  database: Database,
  { windowMilliseconds = 10_000 }: StrikeStoreOptions = {},
): Promise<StrikeStore> {
  await migrateFastOpen(database)
  const window = BigInt(windowMilliseconds)
  return {
    // A statement is a transaction of its own: whoever inserts the row is the first. Where an answer was lost and the
    // statement is repeated, the row has this gateway's claim.
    enter: (entries, claim) => database.look((connection) => enter(connection, { entries, claim, window })),
    sweep: () => database.write(sweep),
  }
}

interface Entering {
  readonly entries: readonly StrikeEntry[]
  readonly claim: Uint8Array
  readonly window: bigint
}

async function enter(connection: Connection, { entries, claim, window }: Entering) {
  const rows = await connection.all(ENTER, [
    ...[bytesArray(entries.map(({ digest }) => digest)), claim],
    ...[bigintArray(entries.map(({ time }) => (time === undefined ? null : BigInt(time)))), window],
  ])
  const present = rows.filter(({ fits, entered }) => fits && !entered).map(({ digest }) => digest as Uint8Array)
  const ours = present.length === 0 ? [] : await connection.all(OURS, [bytesArray(present), claim])
  const isOurs = new Set(ours.map(({ digest }) => nameOf(digest)))
  const outcomeOf = ({ digest, fits, entered }: Row): StrikeOutcome => {
    if (!fits) return "outside"
    if (entered) return "entered"
    return isOurs.has(nameOf(digest)) ? "ours" : "theirs"
  }
  // The first row is the clock alone.
  const [clock, ...asked] = rows
  return { outcomes: asked.map(outcomeOf), now: Number(clock!.now) }
}

const nameOf = (digest: Uint8Array) => Buffer.from(digest).toString("latin1")

/**
 * A request is judged by its own time and the database's clock, which is one for all gateways. It is accepted until its time
 * and a window; so long the row is needed. A request that cannot be a replay has no time: a copy of it could be dated a window
 * ahead. Rows are inserted in order, so that two gateways cannot wait for each other.
 */
const ENTER = `
  WITH moment AS MATERIALIZED (SELECT ${CLOCK} AS now),
  given AS MATERIALIZED (
    SELECT number, digest, coalesce(time, now + $4::bigint) + $4::bigint AS until,
      (time IS NULL OR time BETWEEN now - $4::bigint AND now + $4::bigint) AND
        coalesce(time, now + $4::bigint) + $4::bigint > (SELECT max(swept) FROM strike_horizon) AS fits
    FROM unnest($1::bytea[], $3::bigint[]) WITH ORDINALITY AS given (digest, time, number), moment),
  entered AS (
    INSERT INTO strike (digest, claim, until) SELECT digest, $2::bytea, until FROM given WHERE fits ORDER BY digest
    ON CONFLICT (digest) DO NOTHING RETURNING digest)
  SELECT 0::bigint AS number, now, NULL::bytea AS digest, false AS fits, false AS entered FROM moment
  UNION ALL
  SELECT number, NULL, digest, fits, digest IN (SELECT digest FROM entered) FROM given ORDER BY number`

const OURS = "SELECT digest FROM strike WHERE digest = ANY($1::bytea[]) AND claim = $2"

/** What has been deleted is remembered as one time: a clock that is set back must not make it acceptable again. */
async function sweep(connection: Connection): Promise<void> {
  await connection.run(
    `WITH gone AS (
       DELETE FROM strike WHERE digest IN (
         SELECT digest FROM strike WHERE until < ${CLOCK} - $1::bigint ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)
       RETURNING until)
     UPDATE strike_horizon SET swept = latest FROM (SELECT max(until) AS latest FROM gone) AS of_gone WHERE latest > swept`,
    [MARGIN_MILLISECONDS, SWEPT_MAX],
  )
}
