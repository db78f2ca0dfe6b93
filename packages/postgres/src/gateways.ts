import { StoreUnavailable } from "@conclave/delivery/store"
import type { Connection } from "./connection.js"

/** As each gateway locks it on each of its connections: see `gatewayLock`. */
const KEY = "hashtext('conclave gateway'), hashtext(current_schema())"

/**
 * Until the transaction ends, no gateway has a connection: new ones wait.
 *
 * @throws {StoreUnavailable} when a gateway has one.
 */
export async function requireNoGateways(connection: Connection): Promise<void> {
  const { alone } = (await connection.get(`SELECT pg_try_advisory_xact_lock(${KEY}) AS alone`))!
  if (alone) return
  const count = await gatewayConnections(connection)
  throw new StoreUnavailable(
    `gateways are connected to the database (${count} connections): stop every conclave serve on it first`,
  )
}

/** How many connections gateways have. */
export async function gatewayConnections(connection: Connection): Promise<number> {
  const { count } = (await connection.get(`
    SELECT count(*)::integer AS count FROM pg_locks, (SELECT ${KEY.replace(", ", " AS one, ")} AS two) AS key
    WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock' AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint = key.one::bigint & 4294967295 AND objid::bigint = key.two::bigint & 4294967295`))!
  return count
}
