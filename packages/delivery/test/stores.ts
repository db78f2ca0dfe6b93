import { join } from "node:path"
import type { TestContext } from "node:test"
import { deliveryStore, openDatabase } from "@conclave/sqlite"
import { sha256, temporaryFolder } from "@conclave/testing/delivery"
import { memoryStore, type Operated, type Store } from "../src/index.js"

/** Every implementation of the store, for running the same test on each. */
export const stores: Readonly<Record<string, (test: TestContext) => Store & Operated>> = {
  memory: () => memoryStore(sha256),
  SQLite(test) {
    const store = deliveryStore(openDatabase({ file: join(temporaryFolder(test), "delivery.db") }), sha256)
    test.after(() => store[Symbol.asyncDispose]())
    return store
  },
}
