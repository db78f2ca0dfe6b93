/// <reference lib="esnext.disposable" preserve="true" />
import type { AuthSource } from "@conclave/auth/store"
import type { Sha256 } from "@conclave/contracts/log-chain"
import { type DeliverySource, StoreUnavailable } from "@conclave/delivery/store"
import { authSource } from "./auth/records.js"
import { available } from "./conditions.js"
import { type Connection, connectionOf, opened } from "./database.js"
import { deliverySource } from "./delivery/records.js"
import { lockFile } from "./file-lock.js"
import { type Moved, movedIn } from "./moved.js"
import { requireVersions } from "./versions.js"

/** A service's file that is read to its end, so that another store has what is in it. No process serves it meanwhile. */
export interface MovingFile extends Disposable {
  readonly delivery: DeliverySource
  readonly auth: AuthSource
  /** SHA-256 of the seed of the key by which the service signs: by it, two stores are of the same service. */
  readonly service: Uint8Array
  /** Where an earlier move has brought it, which may have been cut afterwards. */
  readonly moved: Moved | undefined
  /**
   * Marks the file, durably: no service is opened on it from then on.
   *
   * @throws {StoreUnavailable} when the file was changed since it was opened: another process may do what the operator wants.
   */
  mark(moved: Moved): void
}

/**
 * Locks the file and looks at it as it is at this moment; a change by the operator, who needs no lock, is not seen.
 *
 * @throws {StoreUnavailable} when it is in use, is none of a service, is of another version, or has what records cannot say.
 */
export function openMovingFile(file: string, sha256: Sha256): MovingFile {
  const lock = lockFile(file)
  let database: ReturnType<typeof opened> | undefined
  try {
    database = opened(file)
    return available(() => reading(database!, { sha256, release: () => lock.release() }))
  } catch (error) {
    database?.close()
    lock.release()
    throw error
  }
}

interface Reading {
  readonly sha256: Sha256
  release(): void
}

function reading(database: ReturnType<typeof opened>, { sha256, release }: Reading): MovingFile {
  const connection = connectionOf(database)
  database.exec("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; BEGIN")
  requireVersions(connection)
  const identity = connection.get("SELECT seed FROM identity")
  if (identity === undefined) throw new StoreUnavailable("nobody has ever used this service: there is nothing to move")
  requireSayable(connection)
  const version = versionOf(connection)
  return {
    delivery: deliverySource(connection),
    auth: authSource(connection),
    service: sha256(identity.seed),
    moved: movedIn(connection),
    mark: (moved) => available(() => mark(database, { connection, version, moved })),
    [Symbol.dispose]() {
      database.close()
      release()
    },
  }
}

/** Changes when another connection has written. */
const versionOf = (connection: Connection): bigint => connection.get("PRAGMA data_version")!.data_version

/** What only files of early versions have. */
function requireSayable(connection: Connection): void {
  const count = (sql: string) => connection.get(`SELECT count(*) AS n FROM ${sql}`)!.n as bigint
  const keyless = count(`mls_group WHERE last_at >= 0 AND NOT EXISTS
    (SELECT 1 FROM access_interval WHERE group_number = mls_group.number AND seq = 0)`)
  if (keyless > 0n) {
    throw new StoreUnavailable(
      `${keyless} groups are from before groups had keys, and cannot be moved: close them first`,
    )
  }
  const trees = count("inbox WHERE tree_hash IS NOT NULL")
  if (trees > 0n) {
    throw new StoreUnavailable(
      `${trees} Welcomes of an early version wait to be fetched, and cannot be moved: they wait for 180 days at most`,
    )
  }
}

interface Marking {
  readonly connection: Connection
  /** Of the file, as it was read. */
  readonly version: bigint
  readonly moved: Moved
}

function mark(database: ReturnType<typeof opened>, { connection, version, moved }: Marking): void {
  database.exec("COMMIT; BEGIN IMMEDIATE")
  try {
    if (versionOf(connection) !== version) {
      throw new StoreUnavailable("the file was changed while it was read: do it again")
    }
    database.exec(
      "CREATE TABLE IF NOT EXISTS moved (at INTEGER NOT NULL, place TEXT NOT NULL) STRICT; DELETE FROM moved",
    )
    connection.run("INSERT INTO moved (at, place) VALUES (?, ?)", [moved.at, moved.place])
    database.exec("COMMIT")
  } finally {
    if (database.inTransaction) database.exec("ROLLBACK")
  }
  connection.all("PRAGMA wal_checkpoint(TRUNCATE)")
}
