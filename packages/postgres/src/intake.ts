/// <reference lib="esnext.disposable" preserve="true" />
import type { AuthIntake } from "@conclave/auth/store"
import type { Sha256 } from "@conclave/contracts/log-chain"
import { type DeliveryIntake, StoreUnavailable } from "@conclave/delivery/store"
import { AUTH_TABLES, authIntake } from "./auth/intake.js"
import { migrations as authMigrations } from "./auth/store.js"
import type { Connection } from "./connection.js"
import { type Database, type DatabaseOptions, openDatabase } from "./database.js"
import { DELIVERY_TABLES, deliveryIntake, settleWelcomes } from "./delivery/intake.js"
import { Partitions } from "./delivery/partitions.js"
import { migrations as deliveryMigrations } from "./delivery/schema.js"
import { requireNoGateways } from "./gateways.js"
import { CLOSED } from "./migrations.js"

/** A database that takes over a service. Until it is ready, gateways do nothing on it. */
export interface Intake extends AsyncDisposable {
  readonly delivery: DeliveryIntake
  readonly auth: AuthIntake
  /**
   * `new`: it was empty. `again`: an earlier intake of the same service was cut, and what it had brought is deleted. `ready`:
   * the service is there already, and nothing is taken.
   */
  readonly state: "new" | "again" | "ready"
  /** To be called before what it has is compared with the source. */
  settle(): Promise<void>
  /** From then on gateways use it. */
  finish(): Promise<void>
}

export interface IntakeOptions extends Pick<DatabaseOptions, "url" | "schema"> {
  /** 32 bytes that are the same for each intake of one service, and for no other. */
  readonly service: Uint8Array
  readonly sha256: Sha256
  /** The source says that it was moved: only an intake of it that was begun goes on, or is ready. */
  readonly isMoved?: boolean
  /** As {@link DeliveryStoreOptions}. */
  readonly partitionMilliseconds?: number
}

const TABLES = [...AUTH_TABLES, ...DELIVERY_TABLES].join(", ")

const DAY = 86_400_000
/** A chunk has some megabytes, and the server may be slow. */
const STATEMENT_MILLISECONDS = 120_000
/** The server notices a client that was killed within that time. */
const ALONE_MILLISECONDS = 15_000

/**
 * Makes the tables, and closes them to gateways.
 *
 * @throws {StoreUnavailable} when the database has another service in it, is in use, or does not answer.
 */
export async function openIntake(options: IntakeOptions): Promise<Intake> {
  const { url, schema, sha256, partitionMilliseconds = DAY } = options
  const place = { url, ...(schema !== undefined && { schema }) }
  const timeouts = { statementTimeoutMilliseconds: STATEMENT_MILLISECONDS, lockTimeoutMilliseconds: 10_000 }
  const database = openDatabase({ ...place, ...timeouts, connections: 2, role: "intake" })
  let lock: Awaited<ReturnType<typeof alone>> | undefined
  try {
    lock = await alone(database, schema ?? "conclave")
    await database.migrate("auth", authMigrations)
    await database.migrate("delivery", deliveryMigrations)
    const state = await database.write((connection) => begin(connection, options))
    const partitions = new Partitions(database, partitionMilliseconds)
    return {
      state,
      delivery: deliveryIntake(database, { partitions, sha256 }),
      auth: authIntake(database),
      settle: async () => {
        await database.write(settleWelcomes)
        // Plans are made for tables as they are now.
        await database.write((connection) => connection.script(`SET LOCAL statement_timeout = 0; ANALYZE ${TABLES}`))
      },
      finish: () => database.write(finish),
      async [Symbol.asyncDispose]() {
        await lock?.end().catch(() => {})
        await database.close()
      },
    }
  } catch (error) {
    await lock?.end().catch(() => {})
    await database.close()
    throw error
  }
}

/** One at a time, by a lock of a session of its own. */
async function alone(database: Database, schema: string) {
  const client = await database.connect()
  for (const end = performance.now() + ALONE_MILLISECONDS; ; ) {
    // There may be no schema yet.
    const { rows } = await client.query(
      "SELECT pg_try_advisory_lock(hashtext('conclave intake'), hashtext($1)) AS alone",
      [schema],
    )
    if (rows[0].alone) return client
    if (performance.now() > end) {
      await client.end()
      throw new StoreUnavailable("another conclave migrate is writing to the database")
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function begin(connection: Connection, { service, isMoved = false }: IntakeOptions): Promise<Intake["state"]> {
  const earlier = await connection.get("SELECT service, ready_at FROM intake")
  if (earlier === undefined) {
    if (isMoved) throw new StoreUnavailable("nothing of the service is here, and it was moved elsewhere: see its file")
    await requireEmpty(connection)
  } else if (Buffer.compare(earlier.service, service) !== 0) {
    throw new StoreUnavailable(
      earlier.ready_at === null
        ? "a part of another service is in the database, whose move was cut: finish that, or give an empty database"
        : "another service is in the database: give an empty one",
    )
  } else if (earlier.ready_at !== null) {
    if (isMoved) return "ready"
    throw new StoreUnavailable("this service is here already, moved from another copy of its file")
  }
  await requireNoGateways(connection)
  if (earlier !== undefined) await empty(connection)
  await connection.run("DELETE FROM intake")
  await connection.run("INSERT INTO intake (number, began_at, service) VALUES (1, $1, $2)", [Date.now(), service])
  await connection.run("UPDATE schema_version SET oldest_reader = $1", [CLOSED])
  return earlier === undefined ? "new" : "again"
}

async function requireEmpty(connection: Connection): Promise<void> {
  for (const table of [...AUTH_TABLES, ...DELIVERY_TABLES]) {
    if (table === "news") continue
    const row = await connection.get(`SELECT 1 FROM ${table} LIMIT 1`)
    if (row !== undefined) throw new StoreUnavailable("the database is not empty: give one without a service in it")
  }
}

async function empty(connection: Connection): Promise<void> {
  await connection.script(`
    ALTER TABLE action DISABLE TRIGGER action_stays;
    TRUNCATE ${TABLES} RESTART IDENTITY;
    ALTER TABLE action ENABLE TRIGGER action_stays`)
}

async function finish(connection: Connection): Promise<void> {
  await connection.run("UPDATE intake SET ready_at = $1", [Date.now()])
  for (const [component, migrations] of [
    ["auth", authMigrations],
    ["delivery", deliveryMigrations],
  ] as const) {
    await connection.run("UPDATE schema_version SET oldest_reader = $2 WHERE component = $1", [
      component,
      migrations.at(-1)!.oldestReader,
    ])
  }
}
