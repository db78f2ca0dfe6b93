import { randomBytes } from "node:crypto"
import type { Account } from "@conclave/auth/store"
import { LogEntryKind } from "@conclave/contracts/delivery"
import type { Sha256 } from "@conclave/contracts/log-chain"
import {
  type Action,
  type GroupStatus,
  type NameStatus,
  type NewAction,
  type ServiceStatus,
  StoreUnavailable,
} from "@conclave/delivery/store"
import { accountOf, eraseName, nameHash } from "./auth/erasing.js"
import { resumeName, suspendName } from "./auth/store.js"
import { available } from "./conditions.js"
import { type Connection, connectionOf, opened, type Row } from "./database.js"
import { eraseDevices, ofDevices } from "./delivery/erasing.js"
import { beginClosing, CLOSED_ROWS_AT_A_TIME, deleteClosed, resumeDevice, suspendDevice } from "./delivery/operated.js"
import { type Moved, movedIn, requireUnmoved } from "./moved.js"
import { requireVersions } from "./versions.js"

/** A service writes in between: it waits two seconds for a lock. */
const LOCK_TIMEOUT_MILLISECONDS = 5_000

/**
 * The file of a service, which may be running, for its operator. Each operation is one transaction, but for what is deleted
 * of a closed group: a running service goes by it from its next request on. Takes no lock of the file and migrates nothing.
 *
 * All methods throw {@link StoreUnavailable} where the file cannot be read or written now.
 */
export class OperatorFile implements Disposable {
  readonly #database: ReturnType<typeof opened>
  readonly #connection: Connection

  /**
   * @throws {StoreUnavailable} when the file is none of a service, or of another version; and where it is not only read,
   *   when the service was moved.
   */
  constructor(file: string, { readonly }: { readonly readonly: boolean }) {
    this.#database = opened(file, { readonly, timeout: LOCK_TIMEOUT_MILLISECONDS } as object)
    this.#connection = connectionOf(this.#database)
    try {
      available(() => {
        if (!readonly) this.#database.exec("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON")
        requireVersions(this.#connection)
        if (!readonly) requireUnmoved(this.#connection)
      })
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  status(): ServiceStatus {
    return this.#in("BEGIN", (connection) => {
      const count = (sql: string) => Number(connection.get(sql)!.n)
      const pragma = (name: string) => Number(connection.get(`PRAGMA ${name}`)![name])
      const kinds = connection.all("SELECT kind, sum(length(body)) AS bytes FROM log GROUP BY kind")
      const ofKind = (...names: (keyof typeof LogEntryKind.values)[]) =>
        kinds.reduce((sum, { kind, bytes }) => {
          return names.some((name) => BigInt(LogEntryKind.values[name]) === kind) ? sum + Number(bytes) : sum
        }, 0)
      const oldest = connection.get("SELECT at FROM log ORDER BY rowid LIMIT 1")
      return {
        names: count("SELECT count(DISTINCT name) AS n FROM directory_device"),
        devices: count("SELECT count(*) AS n FROM directory_device"),
        groups: count("SELECT count(*) AS n FROM mls_group WHERE last_at >= 0"),
        entries: count("SELECT count(*) AS n FROM log"),
        bytes: {
          all: (pragma("page_count") - pragma("freelist_count")) * pragma("page_size"),
          messages: ofKind("application", "expired"),
          proposals: ofKind("proposal"),
          commits: ofKind("commit"),
          welcomes: count("SELECT coalesce(sum(length(body)), 0) AS n FROM blob"),
          keyPackages: count("SELECT coalesce(sum(length(body)), 0) AS n FROM key_package"),
          knocks: count("SELECT coalesce(sum(length(sealed)), 0) AS n FROM knock"),
        },
        oldestAt: oldest && Number(oldest.at),
        suspended: connection.all("SELECT name FROM suspended_name ORDER BY name").map(({ name }) => name),
        closed: count("SELECT count(*) AS n FROM action WHERE did = 'close'"),
      }
    })
  }

  /** The largest first. */
  groups(): readonly GroupStatus[] {
    const rows = this.#in("BEGIN", (connection) =>
      connection.all(
        `SELECT lower(hex(id)) AS id, bytes, last_at, (SELECT count(*) FROM log WHERE group_number = number) AS entries
         FROM mls_group WHERE last_at >= 0 ORDER BY bytes DESC, number`,
      ),
    )
    return rows.map(({ id, entries, bytes, last_at }) => {
      return { id, entries: Number(entries), bytes: Number(bytes), lastAt: Number(last_at) }
    })
  }

  /** In alphabetical order; those that have `like` in them, whatever the case of its ASCII letters. */
  names(like = ""): readonly NameStatus[] {
    const rows = this.#in("BEGIN", (connection) =>
      connection.all(
        `SELECT name, count(*) AS devices, min(registered_at) AS at,
           (SELECT reason FROM suspended_name WHERE suspended_name.name = directory_device.name) AS suspended
         FROM directory_device WHERE name LIKE ? ESCAPE '\\' GROUP BY name ORDER BY name`,
        [`%${like.replace(/[\\%_]/g, "\\$&")}%`],
      ),
    )
    return rows.map(({ name, devices, at, suspended }) => {
      return { name, devices: Number(devices), registeredAt: Number(at), suspended: suspended ?? undefined }
    })
  }

  /** Where the service of the file was moved, if it was. */
  moved(): Moved | undefined {
    return this.#in("BEGIN", movedIn)
  }

  /** In the order in which they were done. */
  actions(): readonly Action[] {
    return this.#in("BEGIN", (connection) => connection.all("SELECT * FROM action ORDER BY number")).map(actionOf)
  }

  /** Of a name that is suspended already, replaces the reason. Returns whether there is such a name. */
  suspend(name: string, action: NewAction): boolean {
    return this.#in("BEGIN IMMEDIATE", (connection) => apply(connection, { ...action, did: "suspend", what: name }))
  }

  /** Returns whether the name was suspended. */
  resume(name: string, action: NewAction): boolean {
    return this.#in("BEGIN IMMEDIATE", (connection) => apply(connection, { ...action, did: "resume", what: name }))
  }

  /** All there is under the name; `undefined` where nobody has it. */
  account(name: string): Account | undefined {
    return this.#in("BEGIN", (connection) => accountOf(connection, name, ofDevices))
  }

  /** Erases the name for good, and empties the write-ahead log of it. Returns whether there was such a name. */
  erase(name: string, action: NewAction): boolean {
    const what = Buffer.from(nameHash(name)).toString("hex")
    const isErased = this.#in("BEGIN IMMEDIATE", (connection) => apply(connection, { ...action, did: "erase", what }))
    if (isErased) available(() => this.#connection.all("PRAGMA wal_checkpoint(TRUNCATE)"))
    return isErased
  }

  /** Deletes what there is of the group for good. Returns whether there was such a group. */
  closeGroup(id: Uint8Array, { sha256, ...action }: NewAction & { readonly sha256: Sha256 }): boolean {
    const what = Buffer.from(id).toString("hex")
    const isClosed = this.#in("BEGIN IMMEDIATE", (connection) =>
      apply(connection, { ...action, did: "close", what }, sha256),
    )
    if (isClosed) this.#finishClosing()
    return isClosed
  }

  /**
   * Does what was done to another file of the same service, and is not known here: to a backup, before it takes that file's
   * place. Returns how many actions these were.
   */
  carryOver(from: OperatorFile, sha256: Sha256): number {
    const identity = ({ seed }: Row) => Buffer.from(seed).toString("hex")
    const seeds = [this, from].map((it) => it.#in("BEGIN", (connection) => connection.all("SELECT seed FROM identity")))
    if (new Set(seeds.flat().map(identity)).size !== 1) return 0
    const nameOf = ({ at, user, did, what, reason }: Action) => JSON.stringify([at, user, did, what, reason])
    const known = new Set(this.actions().map(nameOf))
    const missing = from.actions().filter((action) => !known.has(nameOf(action)))
    this.#in("BEGIN IMMEDIATE", (connection) => {
      // One that changes nothing here, as of a name that the backup does not have, is kept all the same.
      for (const action of missing) if (!apply(connection, action, sha256)) keep(connection, action)
    })
    this.#finishClosing()
    return missing.length
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  /** Goes on with what was cut short, too. */
  #finishClosing(): void {
    for (;;) {
      const closed = this.#in("BEGIN", (connection) => connection.get("SELECT number FROM mls_group WHERE last_at < 0"))
      if (closed === undefined) break
      this.#in("BEGIN IMMEDIATE", (connection) => deleteClosed(connection, closed.number, CLOSED_ROWS_AT_A_TIME))
    }
    // What was deleted is in the write-ahead log still, where a reader keeps it from being emptied just now.
    available(() => this.#connection.all("PRAGMA wal_checkpoint(TRUNCATE)"))
  }

  #in<T>(begin: string, work: (connection: Connection) => T): T {
    return available(() => {
      this.#database.exec(begin)
      try {
        const value = work(this.#connection)
        this.#database.exec("COMMIT")
        return value
      } finally {
        if (this.#database.inTransaction) this.#database.exec("ROLLBACK")
      }
    })
  }
}

/** Does one thing and keeps that it was done. Returns whether there was anything to do. */
function apply(connection: Connection, action: Action, sha256?: Sha256): boolean {
  const isDone = work(connection, action, sha256)
  if (isDone) keep(connection, action)
  return isDone
}

function work(connection: Connection, { did, what, reason }: Action, sha256?: Sha256): boolean {
  if (did === "announce") return false
  if (did === "close") {
    const groupId = Uint8Array.from(Buffer.from(what, "hex"))
    return beginClosing(connection, { groupId, asId: randomBytes(32), sha256: sha256! }) !== undefined
  }
  if (did === "erase") return eraseByHash(connection, what)
  const isDone = did === "suspend" ? suspendName(connection, what, reason) : resumeName(connection, what)
  // Nothing is registered for the name as long as it is suspended: these stay all of its devices.
  const devices = isDone ? connection.all(DEVICES_IN_USE, [what]) : []
  for (const { id } of devices) {
    if (did === "suspend") suspendDevice(connection, id, reason)
    else resumeDevice(connection, id)
  }
  return isDone
}

/** What is revoked stays so. */
const DEVICES_IN_USE = "SELECT id FROM directory_device WHERE name = ? AND id NOT IN (SELECT id FROM revoked_device)"

/** The name is found by the hash, which is all that is kept of it. */
function eraseByHash(connection: Connection, hash: string): boolean {
  const names = connection.all("SELECT DISTINCT name FROM directory_device").map(({ name }) => name as string)
  const name = names.find((it) => Buffer.from(nameHash(it)).toString("hex") === hash)
  // One that a backup does not have must not come later either.
  if (name === undefined) {
    connection.run("INSERT INTO erased (hash) VALUES (?) ON CONFLICT DO NOTHING", [Buffer.from(hash, "hex")])
    return false
  }
  eraseDevices(connection, eraseName(connection, name))
  return true
}

function keep(connection: Connection, { at, user, did, what, reason }: Action): void {
  connection.run("INSERT INTO action (at, user, did, what, reason) VALUES (?, ?, ?, ?, ?)", [
    at,
    user,
    did,
    what,
    reason,
  ])
}

const actionOf = ({ at, user, did, what, reason }: Row): Action => ({ at: Number(at), user, did, what, reason })
