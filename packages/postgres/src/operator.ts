/// <reference lib="esnext.disposable" preserve="true" />
import { randomBytes } from "node:crypto"
import type { Account } from "@conclave/auth/store"
import type { Sha256 } from "@conclave/contracts/log-chain"
import {
  type Action,
  type GroupStatus,
  type NameStatus,
  type NewAction,
  type ServiceStatus,
  type Store,
  StoreUnavailable,
} from "@conclave/delivery/store"
import { accountOf, eraseName, nameHash } from "./auth/erasing.js"
import { migrations as authMigrations, resumeName, suspendName } from "./auth/store.js"
import type { Connection } from "./connection.js"
import { type Database, type DatabaseOptions, openDatabase } from "./database.js"
import { actionsIn, keepAction } from "./delivery/actions.js"
import { eraseDevices, ofDevices } from "./delivery/erasing.js"
import { identityOf, raiseIncarnation } from "./delivery/identity.js"
import { beginClosing, finishClosing, resumeDevice, suspendDevice } from "./delivery/operated.js"
import { migrations as deliveryMigrations } from "./delivery/schema.js"
import { APPLICATION, EXPIRED_SIZE } from "./delivery/sizes.js"
import { gatewayConnections, requireNoGateways } from "./gateways.js"

/** What raising the incarnation of a service asks of its store. */
type IdentityStore = Pick<Store, "identity" | "raiseIncarnation">

/**
 * The database of a service, for its operator, while gateways run or not: they go by it from their next request on, and wake whom
 * it concerns within seconds. Each operation is one transaction, but for what is deleted of a closed group. Migrates nothing.
 *
 * All methods reject with {@link StoreUnavailable} where the database cannot be read or written now.
 */
export class OperatorDatabase implements AsyncDisposable {
  readonly #database: Database

  private constructor(database: Database) {
    this.#database = database
  }

  /** @throws {StoreUnavailable} when there is no service in the database, or one of another version. */
  static async open(options: Pick<DatabaseOptions, "url" | "schema">): Promise<OperatorDatabase> {
    const timeouts = { statementTimeoutMilliseconds: 120_000, lockTimeoutMilliseconds: 5_000 }
    const database = openDatabase({ ...options, ...timeouts, connections: 2, role: "operator" })
    try {
      await database.require({ auth: authMigrations, delivery: deliveryMigrations })
      return new OperatorDatabase(database)
    } catch (error) {
      await database.close()
      throw error
    }
  }

  status(): Promise<ServiceStatus> {
    const { bytes } = this.#database.usage()
    return this.#database.read((connection) => statusIn(connection, bytes))
  }

  /** How many connections gateways have to the database. */
  gatewayConnections(): Promise<number> {
    return this.#database.look(gatewayConnections)
  }

  /** The largest first. */
  async groups(): Promise<readonly GroupStatus[]> {
    const rows = await this.#database.look((connection) =>
      connection.all(
        `SELECT encode(id, 'hex') AS id, bytes, last_at,
           (SELECT count(*)::integer FROM log WHERE group_number = mls_group.number) AS entries
         FROM mls_group WHERE last_at >= 0 ORDER BY bytes DESC, number`,
      ),
    )
    return rows.map(({ id, entries, bytes, last_at }) => {
      return { id, entries, bytes: Number(bytes), lastAt: Number(last_at) }
    })
  }

  /** In alphabetical order; those that have `like` in them, whatever the case of its letters. */
  async names(like = ""): Promise<readonly NameStatus[]> {
    const rows = await this.#database.look((connection) =>
      connection.all(
        `SELECT name, count(*)::integer AS devices, min(registered_at) AS at,
           (SELECT reason FROM suspended_name WHERE suspended_name.name = directory_device.name) AS suspended
         FROM directory_device WHERE name ILIKE $1 GROUP BY name ORDER BY name COLLATE "C"`,
        [`%${like.replace(/[\\%_]/g, "\\$&")}%`],
      ),
    )
    return rows.map(({ name, devices, at, suspended }) => {
      return { name, devices, registeredAt: Number(at), suspended: suspended ?? undefined }
    })
  }

  /** In the order in which they were done. */
  actions(): Promise<readonly Action[]> {
    return this.#database.look(actionsIn)
  }

  /** Of a name that is suspended already, replaces the reason. Resolves with whether there is such a name. */
  suspend(name: string, action: NewAction): Promise<boolean> {
    return this.#database.write(async (connection) => {
      if (!(await suspendName(connection, name, action.reason))) return false
      for (const id of await devicesOf(connection, name)) await suspendDevice(connection, id, action.reason)
      await keepAction(connection, { ...action, did: "suspend", what: name })
      return true
    })
  }

  /** Resolves with whether the name was suspended. */
  resume(name: string, action: NewAction): Promise<boolean> {
    return this.#database.write(async (connection) => {
      if (!(await resumeName(connection, name))) return false
      for (const id of await devicesOf(connection, name)) await resumeDevice(connection, id)
      await keepAction(connection, { ...action, did: "resume", what: name })
      return true
    })
  }

  /** All there is under the name; `undefined` where nobody has it. */
  account(name: string): Promise<Account | undefined> {
    return this.#database.read((connection) => accountOf(connection, name, ofDevices))
  }

  /** Erases the name for good. Resolves with whether there was such a name. */
  erase(name: string, action: NewAction): Promise<boolean> {
    return this.#database.write(async (connection) => {
      const deviceIds = await eraseName(connection, name)
      if (deviceIds.length === 0) return false
      await eraseDevices(connection, deviceIds)
      await keepAction(connection, { ...action, did: "erase", what: Buffer.from(nameHash(name)).toString("hex") })
      return true
    })
  }

  /** Deletes what there is of the group for good. Resolves with whether there was such a group. */
  async closeGroup(id: Uint8Array, { sha256, ...action }: NewAction & { readonly sha256: Sha256 }): Promise<boolean> {
    const closing = { groupId: id, asId: randomBytes(32), sha256 }
    const number = await this.#database.write(async (connection) => {
      const begun = await beginClosing(connection, closing)
      if (begun === undefined) return undefined
      await keepAction(connection, { ...action, did: "close", what: Buffer.from(id).toString("hex") })
      return begun
    })
    if (number === undefined) return false
    await finishClosing(this.#database, number)
    return true
  }

  /**
   * Says that the database was restored from a backup, or is that of a replica that was behind: `raise` is to raise the
   * incarnation of the store that it is given, and resolves with the one that is announced. No gateway is connected meanwhile.
   *
   * @throws {StoreUnavailable} when a gateway is connected, or no service was ever used on the database.
   */
  announceRestore(raise: (store: IdentityStore) => Promise<bigint>, action: NewAction): Promise<bigint> {
    return this.#database.write(async (connection) => {
      await requireNoGateways(connection)
      const known = await connection.get("SELECT 1 FROM identity FOR UPDATE")
      if (known === undefined)
        throw new StoreUnavailable("nobody has ever used this service: there is nothing to announce")
      const incarnation = await raise({
        identity: (made) => identityOf(connection, made),
        raiseIncarnation: (handover) => raiseIncarnation(connection, handover),
      })
      await keepAction(connection, { ...action, did: "announce", what: `${incarnation}` })
      return incarnation
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database.close()
  }
}

/** Nothing is registered for a name as long as it is suspended: these stay all of its devices. */
async function devicesOf(connection: Connection, name: string): Promise<readonly Uint8Array[]> {
  const rows = await connection.all(
    // What is revoked stays so.
    `SELECT id FROM directory_device WHERE name = $1 AND id NOT IN (SELECT id FROM revoked_device) ORDER BY id`,
    [name],
  )
  return rows.map(({ id }) => id)
}

async function statusIn(connection: Connection, all: number): Promise<ServiceStatus> {
  const row = (await connection.get(STATUS))!
  const suspended = await connection.all('SELECT name FROM suspended_name ORDER BY name COLLATE "C"')
  const number = (name: string) => Number(row[name])
  return {
    names: number("names"),
    devices: number("devices"),
    groups: number("groups"),
    entries: number("entries"),
    bytes: {
      all,
      messages: number("messages"),
      proposals: number("proposals"),
      commits: number("commits"),
      welcomes: number("welcomes"),
      keyPackages: number("key_packages"),
      knocks: number("knocks"),
    },
    oldestAt: row.oldest_at === null ? undefined : number("oldest_at"),
    suspended: suspended.map(({ name }) => name),
    closed: number("closed"),
  }
}

const STATUS = `
  WITH kept AS (
    SELECT kind, count(*) AS entries, min(at) AS oldest_at,
      sum(CASE WHEN kind = ${APPLICATION} AND at < (SELECT messages FROM retention) THEN ${EXPIRED_SIZE} ELSE size END) AS bytes
    FROM log GROUP BY kind
  )
  SELECT (SELECT count(DISTINCT name) FROM directory_device) AS names, (SELECT count(*) FROM directory_device) AS devices,
    (SELECT count(*) FROM mls_group WHERE last_at >= 0) AS groups,
    (SELECT coalesce(sum(entries), 0) FROM kept) AS entries, (SELECT min(oldest_at) FROM kept) AS oldest_at,
    (SELECT coalesce(sum(bytes), 0) FROM kept WHERE kind = 1) AS messages,
    (SELECT coalesce(sum(bytes), 0) FROM kept WHERE kind = 2) AS proposals,
    (SELECT coalesce(sum(bytes), 0) FROM kept WHERE kind = 3) AS commits,
    (SELECT coalesce(sum(octet_length(body)), 0) FROM blob) AS welcomes,
    (SELECT coalesce(sum(octet_length(body)), 0) FROM key_package) AS key_packages,
    (SELECT coalesce(sum(octet_length(sealed)), 0) FROM knock) AS knocks,
    (SELECT count(*) FROM action WHERE did = 'close') AS closed`
