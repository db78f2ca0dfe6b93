/// <reference lib="esnext.disposable" preserve="true" />
import type { CryptoProvider } from "@conclave/crypto"
import type { Logger } from "@conclave/transport"
import type { ServerOptions, Stores } from "./options.js"

/** A part of a server, and how it ends. */
export type OpenStores = Stores & AsyncDisposable

interface Opening extends Pick<ServerOptions, "file" | "stores" | "quota"> {
  readonly crypto: CryptoProvider
  readonly logger: Logger | undefined
}

/**
 * The stores that the options name. Throws `StoreUnavailable` where the file cannot be used.
 *
 * @throws {TypeError} when there is not exactly one of `file` and `stores`, or `quota` is given for stores that have
 *   limits of their own.
 */
export async function openStores({ file, stores, quota, crypto, logger }: Opening): Promise<OpenStores> {
  if ((file === undefined) === (stores === undefined)) throw new TypeError("give either file or stores")
  if (stores !== undefined) {
    return { ...stores, [Symbol.asyncDispose]: async () => stores[Symbol.asyncDispose]?.() }
  }
  // Whoever has stores of their own need not have SQLite.
  const { authStore, deliveryStore, openDatabase } = await import("@conclave/sqlite")
  const database = openDatabase({ file: file!, ...(quota !== undefined && { sizeMax: quota }) })
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
    for (const [component, to] of versions()) {
      const from = before.get(component) ?? 0
      if (from !== to) logger?.info({ component, from, to }, from === 0 ? "tables made" : "tables migrated")
    }
    return { auth, delivery, [Symbol.asyncDispose]: () => database.close() }
  } catch (error) {
    await database.close()
    throw error
  }
}
