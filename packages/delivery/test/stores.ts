import { join } from "node:path"
import { after, it, type TestContext } from "node:test"
import {
  openDatabase as openPostgres,
  blobStore as postgresBlobs,
  deliveryStore as postgresStore,
} from "@conclave/postgres"
import { blobStore, deliveryStore, openDatabase } from "@conclave/sqlite"
import { sha256, temporaryFolder } from "@conclave/testing/delivery"
import { noPostgres, type PostgresServer, startPostgres } from "@conclave/testing/servers"
import { type BlobStore, memoryBlobStore, memoryStore, type Operated, type Store } from "../src/index.js"

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
  ...(noPostgres === undefined && { PostgreSQL: blobsInPostgres }),
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

function blobsInPostgres(test: TestContext): BlobStore {
  server ??= startPostgres()
  const schema = `s${++schemas}`
  const opened = server.then(async (it) => {
    const database = openPostgres({ url: await it.url("test"), schema })
    return { database, store: await postgresBlobs(database) }
  })
  test.after(async () => (await opened).database.close())
  const usage = () => ({ bytes: 0, sizeMax: Number.POSITIVE_INFINITY })
  return new Proxy({} as BlobStore, {
    get: (_, name: keyof BlobStore) => {
      if (name === "usage") return usage
      return async (...asked: readonly unknown[]) =>
        ((await opened).store[name] as (...asked: unknown[]) => unknown)(...asked)
    },
  })
}
