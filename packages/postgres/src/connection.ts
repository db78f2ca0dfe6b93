import { createHash } from "node:crypto"
import type pg from "pg"
import { COMMIT_UNANSWERED, isLost, isRetryable, NOT_REPLICATED, QueryFailure, spoilsConnection } from "./failures.js"
import type { Row, SqlValue } from "./values.js"

/** What a unit of work may do, one statement after the other. */
export interface Connection {
  get(sql: string, parameters?: readonly SqlValue[]): Promise<Row | undefined>
  all(sql: string, parameters?: readonly SqlValue[]): Promise<Row[]>
  /** How many rows were changed. */
  run(sql: string, parameters?: readonly SqlValue[]): Promise<number>
  /** As `all`, where the statement is a transaction of its own: what it wrote is durable, or it fails as a COMMIT would. */
  commit(sql: string, parameters: readonly SqlValue[]): Promise<Row[]>
  /** As `all`, planned for just these parameters: a plan for any would lock every partition. */
  planned(sql: string, parameters: readonly SqlValue[]): Promise<Row[]>
  /** Statements without parameters or results. */
  script(sql: string): Promise<void>
}

export type Work<T> = (connection: Connection) => Promise<T>

/** Nothing was done: the connection had been lost before. */
export class NotBegun extends Error {}

export async function inTransaction<T>(client: pg.PoolClient, begin: string, work: Work<T>): Promise<T> {
  try {
    await queried(client, { text: begin })
  } catch (error) {
    throw isLost(error) ? new NotBegun("the transaction did not begin", { cause: error }) : error
  }
  const value = await work(connectionOf(client)).catch(async (error) => {
    // Where it cannot be undone, the connection is given up with it.
    await queried(client, { text: "ROLLBACK" }).catch((failure) => {
      throw spoilsConnection(error) ? error : failure
    })
    throw error
  })
  await commit(client)
  return value
}

async function commit(client: pg.PoolClient): Promise<void> {
  const { command } = await committed(client, { text: "COMMIT" })
  // A transaction that had failed before is undone without an error.
  if (command !== "COMMIT") throw new Error("the transaction was undone")
}

/** A statement with which a transaction ends. */
async function committed(client: pg.ClientBase, query: pg.QueryConfig): Promise<pg.QueryResult> {
  let result: pg.QueryResult
  // A cancelled wait for a synchronous replica is a warning: the commit is done here, and a failover may undo it.
  let isReplicated = true
  const heed = ({ routine }: { readonly routine?: unknown }) => {
    if (routine === "SyncRepWaitForLSN") isReplicated = false
  }
  client.on("notice", heed)
  try {
    result = await queried(client, query)
  } catch (error) {
    const isUndone = isRetryable(error) || (error instanceof QueryFailure && error.isOfStatement)
    throw spoilsConnection(error) && !isUndone ? new QueryFailure(error, COMMIT_UNANSWERED) : error
  } finally {
    client.off("notice", heed)
  }
  if (!isReplicated) throw new QueryFailure(new Error("not replicated"), NOT_REPLICATED)
  return result
}

export const connectionOf = (client: pg.ClientBase): Connection => ({
  get: async (sql, parameters = []) => (await queried(client, prepared(sql, parameters))).rows[0],
  all: async (sql, parameters = []) => (await queried(client, prepared(sql, parameters))).rows,
  run: async (sql, parameters = []) => (await queried(client, prepared(sql, parameters))).rowCount ?? 0,
  commit: async (sql, parameters) => (await committed(client, prepared(sql, parameters))).rows,
  planned: async (sql, parameters) => (await queried(client, { text: sql, values: valuesOf(parameters) })).rows,
  async script(sql) {
    // Changing the tables takes its time.
    await queried(client, { text: sql, query_timeout: SCRIPT_MILLISECONDS } as pg.QueryConfig)
  },
})

const SCRIPT_MILLISECONDS = 24 * 3_600_000

const prepared = (sql: string, parameters: readonly SqlValue[]) => ({
  name: nameOf(sql),
  text: sql,
  values: valuesOf(parameters),
})

/** The driver writes everything else as it is needed. */
const valuesOf = (parameters: readonly SqlValue[]) =>
  parameters.map((value) => (typeof value === "bigint" ? `${value}` : value))

const names = new Map<string, string>()

/** The same statement has the same name in every process: a proxy may share a connection among them. */
export function nameOf(sql: string): string {
  let name = names.get(sql)
  if (name === undefined) {
    name = createHash("sha256").update(sql).digest("hex").slice(0, 32)
    names.set(sql, name)
  }
  return name
}

export async function queried(client: pg.ClientBase, query: pg.QueryConfig): Promise<pg.QueryResult> {
  try {
    return await client.query(query)
  } catch (error) {
    // Parameters that no statement can have are the program's fault.
    if (error instanceof TypeError || error instanceof RangeError) throw error
    throw new QueryFailure(error)
  }
}
