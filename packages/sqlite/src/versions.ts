import { StoreUnavailable } from "@conclave/delivery/store"
import { migrations as authMigrations } from "./auth/store.js"
import { type Connection, laterVersion } from "./database.js"
import { migrations as deliveryMigrations } from "./delivery/schema.js"

/** Throws {@link StoreUnavailable} where the file is none of a service, or of another version than this one. */
export function requireVersions(connection: Connection): void {
  const isKnown = connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'") !== undefined
  if (!isKnown) throw new StoreUnavailable("the file is none of a service")
  for (const [component, { length: newest }] of [
    ["auth", authMigrations],
    ["delivery", deliveryMigrations],
  ] as const) {
    const row = connection.get("SELECT version FROM schema_version WHERE component = ?", [component])
    const version = Number(row?.version ?? 0n)
    if (version > newest) throw laterVersion(component, { version, newest })
    if (version < newest) {
      throw new StoreUnavailable(
        "the file is of an older version of Conclave: start this version of the service on it once",
      )
    }
  }
}
