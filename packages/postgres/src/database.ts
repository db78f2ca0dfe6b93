/// <reference lib="esnext.disposable" preserve="true" />
import { StoreUnavailable } from "@conclave/delivery/store"
import pg from "pg"
import { connectionOf, inTransaction, NotBegun, queried, type Work } from "./connection.js"
import { isLost, isOfTables, isReadOnly, isRetryable, spoilsConnection, unavailable, unreachable } from "./failures.js"
import { Components, type Migration } from "./migrations.js"
import { types } from "./values.js"

type Run<T> = (client: pg.PoolClient) => Promise<T>

/**
 * One schema of a PostgreSQL database, for any number of processes. All methods reject with {@link StoreUnavailable} where
 * the server does not do it now; the next call tries again.
 */
export interface Database extends AsyncDisposable {
  /** Brings the tables of one component up to date; several components share a schema. */
  migrate(component: string, migrations: readonly Migration[]): Promise<void>
  /** Rejects where the tables of these components are not there, or not of this version. Changes nothing. */
  require(components: Readonly<Record<string, readonly Migration[]>>): Promise<void>
  /**
   * From now on, a statement's only value has to be this one, which each new connection looks at: where it is another, nothing
   * is done any more.
   */
  hold(sql: string, value: bigint): void
  /** Each statement alone sees what is committed. */
  look<T>(work: Work<T>): Promise<T>
  /** All statements see what was committed at one moment. */
  read<T>(work: Work<T>): Promise<T>
  /**
   * Runs `work` in a transaction at READ COMMITTED: rows that it depends on, it locks. It may run several times, where
   * others were in its way. An error that it throws undoes it, and rejects. Where COMMIT was not answered, it may have
   * been done. `lane`: on one of the connections that are kept for {@link lanes}.
   */
  write<T>(work: Work<T>, options?: { readonly lane?: boolean }): Promise<T>
  /**
   * On one of the connections that are kept for {@link lanes}, without a transaction around it. It may run several times, where
   * others were in its way: what it writes, it writes by one {@link Connection.commit}, after which it fails no more.
   */
  free<T>(work: Work<T>): Promise<T>
  /** So many writes find a connection of their own at the same time. */
  readonly lanes: number
  /** Rises when a connection is lost: the server may have gone back to an earlier state. */
  readonly losses: number
  usage(): Usage
  readonly figures: ConnectionFigures
  /** A connection beside the pool, for its caller to end. Statements on it are the caller's. */
  connect(): Promise<pg.Client>
  /** Finishes what is under way. */
  close(): Promise<void>
}

/** The connections of this process to its database, but for those of hints and of {@link Database.connect}. */
export interface ConnectionFigures {
  /** In use just now. */
  readonly used: number
  readonly idle: number
  readonly max: number
  /** Work that waits for one. */
  readonly waiting: number
}

export interface Usage {
  /** Bytes of tables and indexes, as they were counted last. Room that was freed and is used again is counted. */
  readonly bytes: number
  /** `Infinity` without a limit. */
  readonly sizeMax: number
}

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database?sslmode=verify-full`. */
  readonly url: string
  /** Of this process, at most; default 10, at least 2. */
  readonly connections?: number
  /** In which the tables are; made where it is not there. Default `conclave`. */
  readonly schema?: string
  /** How long the server works at one statement; default 10,000. */
  readonly statementTimeoutMilliseconds?: number
  /** How long work waits for a lock that another process holds; default 2,000. */
  readonly lockTimeoutMilliseconds?: number
  /** How long a new connection may take; default 5,000. */
  readonly connectTimeoutMilliseconds?: number
  /** How much work may wait for a connection; default 10,000. */
  readonly queueMax?: number
  /**
   * Default `gateway`: serves clients, and holds a lock on each connection by which an operator knows that; does nothing where a
   * service is being moved into the database. `operator`: without that lock. `intake`: moves a service into it.
   */
  readonly role?: "gateway" | "operator" | "intake"
  /** What the operator grants in bytes: {@link Usage.sizeMax}. Default no limit. */
  readonly sizeMax?: number
}

/**
 * Connects when it is needed for the first time.
 *
 * @throws {RangeError} when the url is none of PostgreSQL's, or there are less than two connections.
 */
export function openDatabase(options: DatabaseOptions): Database {
  return new PostgresDatabase(options)
}

/**
 * What a client of `pg` is made with. Durability is the server's setting, unless that is off.
 *
 * @throws {RangeError} when the url is none of PostgreSQL's; it is not in the error.
 */
export function clientOptions(options: DatabaseOptions): pg.ClientConfig {
  if (!/^postgres(ql)?:\/\//.test(options.url) || !URL.canParse(options.url)) {
    throw new RangeError("the url of the database has to begin with postgres:// and to be one")
  }
  const { statementTimeoutMilliseconds = 10_000, lockTimeoutMilliseconds = 2_000 } = options
  return {
    connectionString: options.url,
    application_name: "conclave",
    connectionTimeoutMillis: options.connectTimeoutMilliseconds ?? 5_000,
    statement_timeout: statementTimeoutMilliseconds,
    lock_timeout: lockTimeoutMilliseconds,
    // A gateway that hangs must not keep a group locked.
    idle_in_transaction_session_timeout: statementTimeoutMilliseconds * 2,
    // A server that is cut off does not even say that it took too long.
    query_timeout: statementTimeoutMilliseconds + ANSWER_MILLISECONDS,
    keepAlive: true,
    types,
  }
}

const ANSWER_MILLISECONDS = 5_000
const READ_ONLY_MILLISECONDS = 1_000
const IDLE_MILLISECONDS = 60_000
const TRIES = 6
/** One without locks, and two with them. More only make the transactions smaller: what waits for one under way shares the next. */
const LANES_MAX = 3

class PostgresDatabase implements Database {
  readonly #options: DatabaseOptions
  readonly #schema: string
  readonly #pool: pg.Pool
  /** Appending does not wait for those who read, nor they for it. */
  readonly #lanes: pg.Pool
  readonly #queueMax: number
  readonly #components: Components
  #held: { readonly sql: string; readonly value: bigint } | undefined
  readonly lanes: number
  losses = 0
  /** How many connections were given up, and how many had been when a connection was made. */
  #spoils = 0
  readonly #born = new WeakMap<pg.ClientBase, number>()
  #bytes = 0
  #refreshedAt = Number.NEGATIVE_INFINITY
  #readOnlyAt = Number.NEGATIVE_INFINITY
  #closed: Promise<unknown> | undefined

  constructor(options: DatabaseOptions) {
    const { connections = 10, queueMax = 10_000, schema = "conclave" } = options
    if (!(connections >= 2)) throw new RangeError("a database needs two connections")
    if (!/^[a-z_][a-z0-9_]{0,40}$/.test(schema)) throw new RangeError("the schema has a name that is not plain")
    this.#options = options
    this.#schema = schema
    this.#queueMax = queueMax
    this.lanes = Math.min(LANES_MAX, Math.floor(connections / 2))
    this.#lanes = this.#poolOf(this.lanes, "SET plan_cache_mode TO force_generic_plan")
    this.#pool = this.#poolOf(connections - this.lanes)
    this.#components = new Components(schema, { isIntake: options.role === "intake" })
  }

  #poolOf(max: number, settings?: string): pg.Pool {
    const pool = new pg.Pool({
      ...clientOptions(this.#options),
      ...{ max, idleTimeoutMillis: IDLE_MILLISECONDS, onConnect: (client) => this.#prepare(client, settings) },
    })
    const lost = () => {
      this.losses++
    }
    pool.on("connect", (client) => {
      this.#born.set(client, this.#spoils)
      // What becomes of a client in use is told by its statements.
      client.on("error", lost)
    })
    pool.on("error", lost)
    return pool
  }

  async #prepare(client: pg.ClientBase, settings = ""): Promise<void> {
    await client.query(
      `SET search_path TO ${this.#schema}; SET bytea_output TO hex; SET default_transaction_isolation TO 'read committed';
       ${BY_INDEX}; ${settings}; SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`,
    )
    if ((this.#options.role ?? "gateway") === "gateway") await this.#enter(client)
  }

  /**
   * Who has no connection may have missed what an operator did: to do anything, it needs a new one, and is told then. Who has
   * one holds the lock, which keeps the operator from it.
   */
  async #enter(client: pg.ClientBase): Promise<void> {
    await queried(client, { text: `SELECT pg_advisory_lock_shared(${gatewayLock(this.#schema)})` })
    if (!this.#components.isReady) return
    const connection = connectionOf(client)
    await this.#components.refresh(connection)
    this.#components.check()
    if (this.#held === undefined) return
    const { sql, value } = this.#held
    const row = await connection.get(sql)
    if (row !== undefined && Object.values(row)[0] !== value) {
      throw new StoreUnavailable("the operator has announced a restored database: start this process again")
    }
  }

  async migrate(component: string, migrations: readonly Migration[]): Promise<void> {
    await this.#components.migrate(this, component, migrations)
    await this.#refresh()
  }

  hold(sql: string, value: bigint): void {
    this.#held = { sql, value }
  }

  async require(components: Readonly<Record<string, readonly Migration[]>>): Promise<void> {
    await this.#look((connection) => this.#components.require(connection, components))
    await this.#refresh()
  }

  async look<T>(work: Work<T>): Promise<T> {
    this.#check()
    return this.#look(work)
  }

  async read<T>(work: Work<T>): Promise<T> {
    this.#check()
    const begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    return this.#again(this.#pool, { isRead: true }, (client) => inTransaction(client, begin, work))
  }

  async write<T>(work: Work<T>, { lane = false } = {}): Promise<T> {
    this.#check()
    const pool = lane ? this.#lanes : this.#pool
    return this.#again(pool, { isRead: false }, (client) => inTransaction(client, "BEGIN", work))
  }

  async free<T>(work: Work<T>): Promise<T> {
    this.#check()
    // What was lost before the commit was sent has read, no more.
    return this.#again(this.#lanes, { isRead: true }, (client) => work(connectionOf(client)))
  }

  #look<T>(work: Work<T>): Promise<T> {
    return this.#again(this.#pool, { isRead: true }, (client) => work(connectionOf(client)))
  }

  /**
   * Runs it again where another transaction was in its way, and on another connection where one had been lost before
   * anything was done on it: all that were idle may be, after the server has been started again.
   */
  async #again<T>(pool: pg.Pool, { isRead }: { readonly isRead: boolean }, run: Run<T>): Promise<T> {
    for (let [tried, lost] = [1, 0]; ; ) {
      try {
        return await this.#on(pool, run)
      } catch (error) {
        const cause = error instanceof NotBegun ? error.cause : error
        if ((error instanceof NotBegun || (isRead && isLost(cause))) && lost++ < pool.options.max) continue
        if (!isRetryable(cause) || tried++ === TRIES) throw await this.#explained(cause)
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10 * tried))
      }
    }
  }

  /** Statements that fit the tables no longer may be those of an old gateway. */
  async #explained(error: unknown): Promise<unknown> {
    if (isOfTables(error) && this.#components.isReady) {
      await this.#refresh().catch(() => {})
      this.#components.check()
    }
    return unavailable(error)
  }

  async #on<T>(pool: pg.Pool, run: Run<T>): Promise<T> {
    if (this.#closed !== undefined) throw new StoreUnavailable("the database is closed")
    if (pool.waitingCount >= this.#queueMax) throw new StoreUnavailable("too much waits for the database")
    const client = await this.#clientOf(pool)
    try {
      const value = await run(client)
      client.release()
      return value
    } catch (error) {
      const isSpoilt = this.#isSpoilt(error instanceof NotBegun ? error.cause : error)
      if (isSpoilt) this.#spoils++
      client.release(isSpoilt)
      throw error
    }
  }

  /** A database that stays read-only is not asked for new connections with every write. */
  #isSpoilt(error: unknown): boolean {
    if (!isReadOnly(error)) return spoilsConnection(error)
    if (performance.now() - this.#readOnlyAt < READ_ONLY_MILLISECONDS) return false
    this.#readOnlyAt = performance.now()
    return true
  }

  /** Of two connections that were made before one was given up, the other is no better. */
  async #clientOf(pool: pg.Pool): Promise<pg.PoolClient> {
    for (;;) {
      const client = await pool.connect().catch((error) => {
        throw unreachable(error)
      })
      if (this.#born.get(client)! >= this.#spoils) return client
      client.release(true)
    }
  }

  /** Now and then, looks in the background at what {@link usage} tells, and whether the tables are for this version. */
  #check(): void {
    if (this.#closed !== undefined) throw new StoreUnavailable("the database is closed")
    const interval = this.#components.isUsable ? REFRESH_MILLISECONDS : UNUSABLE_MILLISECONDS
    if (performance.now() - this.#refreshedAt > interval) this.#refresh().catch(() => {})
    this.#components.check()
  }

  usage(): Usage {
    this.#check()
    return { bytes: this.#bytes, sizeMax: this.#options.sizeMax ?? Number.POSITIVE_INFINITY }
  }

  get figures(): ConnectionFigures {
    const pools = [this.#pool, this.#lanes]
    const sum = (of: (pool: pg.Pool) => number) => pools.reduce((all, pool) => all + of(pool), 0)
    return {
      used: sum(({ totalCount, idleCount }) => totalCount - idleCount),
      idle: sum(({ idleCount }) => idleCount),
      max: sum(({ options }) => options.max),
      waiting: sum(({ waitingCount }) => waitingCount),
    }
  }

  async #refresh(): Promise<void> {
    this.#refreshedAt = performance.now()
    await this.#look(async (connection) => {
      const row = await connection.get(SIZE, [this.#schema])
      this.#bytes = Number(row!.bytes)
      await this.#components.refresh(connection)
    })
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client(clientOptions(this.#options))
    client.on("error", () => {})
    try {
      await client.connect()
      await this.#prepare(client)
      return client
    } catch (error) {
      client.end().catch(() => {})
      throw unreachable(error)
    }
  }

  async close(): Promise<void> {
    this.#closed ??= Promise.all([this.#lanes.end(), this.#pool.end()])
    await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Every statement finds its rows by an index. A plan is kept with its connection: one that was made while a table was small
 * would go on to read all of it.
 */
export const BY_INDEX = `${["seqscan", "hashjoin", "mergejoin"].map((way) => `SET enable_${way} TO off`).join("; ")}; SET jit TO off`

const REFRESH_MILLISECONDS = 30_000
/** While the tables are not for this version. */
const UNUSABLE_MILLISECONDS = 1_000

/** The key of the advisory lock that gateways hold together on each of their connections: two parameters. */
export const gatewayLock = (schema: string) => `hashtext('conclave gateway'), hashtext('${schema}')`

const SIZE = `SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)::bigint AS bytes
   FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = $1 AND relkind = 'r'`
