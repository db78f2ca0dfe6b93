import type { Connection } from "../connection.js"

/** Until the transaction ends, nobody else writes what is of the name, which may have no row yet. */
export async function lockName(connection: Connection, name: string): Promise<void> {
  await connection.get(
    "SELECT pg_advisory_xact_lock(hashtext('conclave name'), hashtext(current_schema() || ' ' || $1))::text",
    [name],
  )
}
