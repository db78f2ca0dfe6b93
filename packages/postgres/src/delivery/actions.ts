import type { Action } from "@conclave/delivery/store"
import type { Connection } from "../connection.js"
import type { Row } from "../values.js"

/** Keeps what the operator has done, for good. */
export async function keepAction(connection: Connection, { at, user, did, what, reason }: Action): Promise<void> {
  await connection.run("INSERT INTO action (at, operator, did, what, reason) VALUES ($1, $2, $3, $4, $5)", [
    ...[at, user, did, what, reason],
  ])
}

/** In the order in which they were done. */
export async function actionsIn(connection: Connection): Promise<Action[]> {
  const rows = await connection.all("SELECT at, operator, did, what, reason FROM action ORDER BY number")
  return rows.map(({ at, operator, did, what, reason }: Row) => ({ at: Number(at), user: operator, did, what, reason }))
}
