import { StoreUnavailable } from "@conclave/delivery/store"
import type { Connection, Work } from "./connection.js"

/** The one at index n leads from version n to n + 1. One that was ever released is not changed any more. */
export interface Migration {
  readonly sql: string
  /** Gateways of this version of the component, and later ones, go on with the tables as they are then. */
  readonly oldestReader: number
}

/** In place of the oldest reader: no gateway reads the tables, of whatever version it is, before a move into them is done. */
export const CLOSED = 2_147_483_647

/** Of a database, what migrating needs. */
interface Migrated {
  look<T>(work: Work<T>): Promise<T>
  write<T>(work: Work<T>): Promise<T>
}

interface Known {
  readonly newest: number
  version: number
  oldestReader: number
}

/** How far the tables of each component are. */
export class Components {
  readonly #schema: string
  readonly #isIntake: boolean
  readonly #known = new Map<string, Known>()

  constructor(schema: string, { isIntake }: { readonly isIntake: boolean }) {
    this.#schema = schema
    this.#isIntake = isIntake
  }

  /**
   * One process at a time; the others wait for it.
   *
   * @throws {StoreUnavailable} when the tables are of a later version that this one cannot use.
   */
  async migrate(database: Migrated, component: string, migrations: readonly Migration[]): Promise<void> {
    const known: Known = { newest: migrations.length, version: 0, oldestReader: 0 }
    // What is up to date is left alone: a database that is read-only can be read.
    if (await database.look((connection) => this.#isCurrent(connection, component, known))) {
      this.#require(component, known)
      this.#known.set(component, known)
      return
    }
    await database.write(async (connection) => {
      await connection.script(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '${WAIT_MILLISECONDS}ms';
        SELECT pg_advisory_xact_lock(hashtext('conclave migrations'), hashtext('${this.#schema}'))`)
      // A user that may not create schemas can be given one.
      const { name } = (await connection.get("SELECT to_regnamespace($1)::text AS name", [this.#schema]))!
      if (name === null) await connection.script(`CREATE SCHEMA ${this.#schema}`)
      await connection.script(`CREATE TABLE IF NOT EXISTS schema_version
          (component text PRIMARY KEY, version integer NOT NULL, oldest_reader integer NOT NULL)`)
      if (await this.#isCurrent(connection, component, known)) return
      for (const { sql } of migrations.slice(known.version)) await connection.script(sql)
      known.version = migrations.length
      if (known.oldestReader !== CLOSED) known.oldestReader = migrations.at(-1)!.oldestReader
      await connection.run(
        `INSERT INTO schema_version (component, version, oldest_reader) VALUES ($1, $2, $3)
         ON CONFLICT (component) DO UPDATE SET version = excluded.version, oldest_reader = excluded.oldest_reader`,
        [component, known.version, known.oldestReader],
      )
    })
    this.#require(component, known)
    this.#known.set(component, known)
  }

  /**
   * For those who do not migrate, as the operator.
   *
   * @throws {StoreUnavailable} when the tables of a component are not there, are of an earlier version, or of a later one that
   *   this one cannot use.
   */
  async require(connection: Connection, components: Readonly<Record<string, readonly Migration[]>>): Promise<void> {
    for (const [component, { length: newest }] of Object.entries(components)) {
      const known: Known = { newest, version: 0, oldestReader: 0 }
      await this.#isCurrent(connection, component, known)
      if (known.version === 0) throw new StoreUnavailable("no service has been started on the database")
      if (known.version < newest && known.oldestReader !== CLOSED) {
        throw new StoreUnavailable(
          "the database is of an older version of Conclave: start this version of the service on it once",
        )
      }
      this.#require(component, known)
      this.#known.set(component, known)
    }
  }

  async #isCurrent(connection: Connection, component: string, known: Known): Promise<boolean> {
    if (!(await this.#hasVersions(connection))) return false
    await this.#readVersion(connection, component, known)
    return known.version >= known.newest
  }

  async #hasVersions(connection: Connection): Promise<boolean> {
    const table = await connection.get("SELECT to_regclass($1)::text AS name", [`${this.#schema}.schema_version`])
    return table!.name !== null
  }

  async #readVersion(connection: Connection, component: string, known: Known): Promise<void> {
    const row = await connection.get("SELECT version, oldest_reader FROM schema_version WHERE component = $1", [
      component,
    ])
    known.version = row?.version ?? 0
    known.oldestReader = row?.oldest_reader ?? 0
  }

  get isReady(): boolean {
    return this.#known.size > 0
  }

  /** A database may have been replaced by an earlier one, or by an empty one. */
  async refresh(connection: Connection): Promise<void> {
    const hasVersions = await this.#hasVersions(connection)
    for (const [component, known] of this.#known) {
      if (hasVersions) await this.#readVersion(connection, component, known)
      else Object.assign(known, { version: 0, oldestReader: 0 })
    }
  }

  /**
   * Throws {@link StoreUnavailable} where the tables are not for this version any more: a newer gateway has changed them
   * since, so that this one must not go on, or they are those of an earlier version.
   */
  check(): void {
    for (const [component, known] of this.#known) this.#require(component, known)
  }

  #require(component: string, known: Known): void {
    if (!(this.#isIntake && known.oldestReader === CLOSED)) requireReadable(component, known)
  }

  get isUsable(): boolean {
    return [...this.#known.values()].every(isReadable)
  }
}

/** Another gateway may be migrating a large database. */
const WAIT_MILLISECONDS = 300_000

const isReadable = ({ newest, version, oldestReader }: Known) => newest >= oldestReader && version >= newest

function requireReadable(component: string, known: Known): void {
  if (isReadable(known)) return
  const { newest, version, oldestReader } = known
  if (oldestReader === CLOSED) {
    throw new StoreUnavailable(
      "a service is being moved into the database: conclave migrate has to come to its end first",
    )
  }
  if (version < newest) {
    throw new StoreUnavailable(
      `the database has the tables of an earlier version of Conclave (${component} ${version}; this one is ${newest}): the ` +
        "next process that starts brings them up to date",
    )
  }
  throw new StoreUnavailable(
    `the database was migrated by a later version of Conclave (${component} ${version}, which ${oldestReader} and later ` +
      `can use; this one is ${newest}): use that version`,
  )
}
