import { join } from "node:path"
import { after, it, type TestContext } from "node:test"
import {
  openDatabase as openPostgres,
  blobStore as postgresBlobs,
  pushStore as postgresPushes,
  deliveryStore as postgresStore,
} from "@conclave/postgres"
import { blobStore, deliveryStore, openDatabase, pushStore } from "@conclave/sqlite"
import { sha256, temporaryFolder } from "@conclave/testing/delivery"
import { noPostgres, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import {
  type BlobStore,
  memoryBlobStore,
  memoryPushStore,
  memoryStore,
  type Operated,
  type PushStore,
  type Store,
} from "../src/index.js"

/** Every implementation of the store, for running the same test on each. */
export const stores: Readonly<Record<string, (test: TestContext) => Store & Operated>> = {
  memory: () => memoryStore(sha256),
  SQLite(test) {
    const store = deliveryStore(openDatabase({ file: join(temporaryFolder(test), "delivery.db") }), sha256)
    test.after(() => store[Symbol.asyncDispose]())
    return store
  },
  ...(noPostgres === undefined && { PostgreSQL: inPostgres }),
}

/** Every implementation of the store of blobs, by the same names. */
export const blobStores: Readonly<Record<string, (test: TestContext) => BlobStore>> = {
  memory: () => memoryBlobStore(),
  SQLite(test) {
    const store = blobStore(openDatabase({ file: join(temporaryFolder(test), "blobs.db") }))
    test.after(() => store[Symbol.asyncDispose]())
    return store
  },
  ...(noPostgres === undefined && {
    PostgreSQL: (test: TestContext) => besideInPostgres(test, postgresBlobs, { usage: nothingUsed }),
  }),
}
const nothingUsed = () => ({ bytes: 0, sizeMax: Number.POSITIVE_INFINITY })

/** Every implementation of the store of push registrations, by the same names. */
export const pushStores: Readonly<Record<string, (test: TestContext) => PushStore>> = {
  memory: () => memoryPushStore(),
  SQLite(test) {
    const database = openDatabase({ file: join(temporaryFolder(test), "pushes.db") })
    test.after(() => database.close())
    return pushStore(database)
  },
  ...(noPostgres === undefined && { PostgreSQL: (test: TestContext) => besideInPostgres(test, postgresPushes, {}) }),
}

if (noPostgres !== undefined) it("the store in PostgreSQL", { skip: noPostgres }, () => {})

let server: Promise<PostgresServer> | undefined
let schemas = 0
after(async () => (await server)?.[Symbol.asyncDispose]())

/** One server for a file of tests, and a schema for each store, which is made when the store is asked for the first time. */
function inPostgres(test: TestContext): Store & Operated {
  server ??= startPostgres()
  const schema = `s${++schemas}`
  const opened = server.then(async (it) => postgresStore(openPostgres({ url: await it.url("test"), schema }), sha256))
  let store: (Store & Operated) | undefined
  opened.then(
    (it) => {
      store = it
    },
    () => {},
  )
  test.after(async () => (await opened)[Symbol.asyncDispose]())
  const usage = () => store?.usage() ?? { bytes: 0, sizeMax: Number.POSITIVE_INFINITY }
  return new Proxy({} as Store & Operated, {
    get: (_, name: keyof Store) => {
      if (name === "usage") return usage
      return async (...asked: readonly unknown[]) =>
        ((await opened)[name] as (...asked: unknown[]) => unknown)(...asked)
    },
  })
}

/** A store that is made when it is asked for the first time, and what is asked of it at once. */
function besideInPostgres<Store extends object>(
  test: TestContext,
  open: (database: ReturnType<typeof openPostgres>) => Promise<Store>,
  atOnce: Partial<Store>,
): Store {
  server ??= startPostgres()
  const schema = `s${++schemas}`
  const opened = server.then(async (it) => {
    const database = openPostgres({ url: await it.url("test"), schema })
    return { database, store: await open(database) }
  })
  test.after(async () => (await opened).database.close())
  return new Proxy(atOnce as Store, {
    get: (_, name: keyof Store & string) =>
      atOnce[name] ??
      (async (...asked: readonly unknown[]) =>
        ((await opened).store[name] as (...asked: unknown[]) => unknown)(...asked)),
  })
}
