/// <reference lib="esnext.disposable" preserve="true" />
import type { CryptoProvider } from "@conclave/crypto"
import type { Logger } from "@conclave/transport"
import { lazyBlobStore } from "./lazy-blobs.js"
import type { DatabasePlace, ServerOptions, Stores } from "./options.js"

/** A part of a server, and how it ends. */
export type OpenStores = Stores & AsyncDisposable

interface Opening extends Pick<ServerOptions, "file" | "database" | "stores" | "quota" | "metrics" | "keepsBlobs"> {
  readonly crypto: CryptoProvider
  readonly logger: Logger | undefined
}

/**
 * The stores that the options name. Throws `StoreUnavailable` where the file or the database cannot be used.
 *
 * @throws {TypeError} when there is not exactly one of `file`, `database` and `stores`.
 */
export async function openStores(opening: Opening): Promise<OpenStores> {
  const { file, database, stores } = opening
  if ([file, database, stores].filter((it) => it !== undefined).length !== 1) {
    throw new TypeError("give one of file, database and stores")
  }
  if (stores !== undefined) {
    return { ...stores, [Symbol.asyncDispose]: async () => stores[Symbol.asyncDispose]?.() }
  }
  // Nobody loads the database that is not used.
  return file === undefined ? openShared(database!, opening) : openFile(file, opening)
}

async function openShared(place: DatabasePlace, { quota, crypto, metrics, keepsBlobs }: Opening): Promise<OpenStores> {
  const { url, connections, schema, nats, onHintsLost, onHintsRegained } = place
  const { authStore, blobStore, deliveryStore, pushStore, natsWake, notifyWake, openDatabase } = await import(
    "@conclave/postgres"
  )
  const told = { ...(onHintsLost && { onLost: onHintsLost }), ...(onHintsRegained && { onRegained: onHintsRegained }) }
  const database = openDatabase({
    url,
    ...(connections !== undefined && { connections }),
    ...(schema !== undefined && { schema }),
    ...(quota !== undefined && { sizeMax: quota }),
  })
  try {
    const auth = await authStore(database)
    const sha256 = (...parts: readonly Uint8Array[]) => crypto.hashes["SHA-256"]!.digest(...parts)
    const delivery = await deliveryStore(database, sha256, { ...(metrics && { onBatch: metrics.meter.wrote }) })
    const blobs = keepsBlobs === false ? undefined : await blobStore(database)
    const pushes = await pushStore(database)
    const wake = nats === undefined ? notifyWake({ url, ...told }) : natsWake({ servers: nats, ...told })
    const close = async () => {
      await wake[Symbol.asyncDispose]()
      await delivery[Symbol.asyncDispose]()
    }
    const figures = () => ({
      waiting: delivery.waitingAppends,
      connections: database.figures,
      hints: wake.figures,
    })
    return { auth, delivery, blobs, pushes, wake, figures, [Symbol.asyncDispose]: close }
  } catch (error) {
    await database.close()
    throw error
  }
}

async function openFile(file: string, { quota, crypto, logger, metrics, keepsBlobs }: Opening): Promise<OpenStores> {
  const { authStore, blobStore, deliveryStore, pushStore, openDatabase } = await import("@conclave/sqlite")
  const database = openDatabase({
    file,
    ...(quota !== undefined && { sizeMax: quota }),
    ...(metrics && { onBatch: metrics.meter.wrote }),
  })
  const versions = () =>
    database.read((connection) => {
      const hasAny = connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'") !== undefined
      const rows = hasAny ? connection.all("SELECT component, version FROM schema_version") : []
      return new Map(rows.map(({ component, version }) => [`${component}`, Number(version)]))
    })
  try {
    const before = versions()
    const auth = authStore(database)
    const delivery = deliveryStore(database, (...parts) => crypto.hashes["SHA-256"]!.digest(...parts))
    const pushes = pushStore(database)
    for (const [component, to] of versions()) {
      const from = before.get(component) ?? 0
      if (from !== to) logger?.info({ component, from, to }, from === 0 ? "tables made" : "tables migrated")
    }
    const ofBlobs = file === ":memory:" ? file : `${file}.blobs`
    const openBlobs = () => blobStore(openDatabase({ file: ofBlobs, ...(quota !== undefined && { sizeMax: quota }) }))
    const blobs = keepsBlobs === false ? undefined : lazyBlobStore(ofBlobs, openBlobs)
    const close = async () => {
      await blobs?.[Symbol.asyncDispose]()
      await database.close()
    }
    const figures = () => ({ waiting: database.waiting })
    return { auth, delivery, blobs, pushes, figures, [Symbol.asyncDispose]: close }
  } catch (error) {
    await database.close()
    throw error
  }
}
