import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { authStore, openDatabase } from "@conclave/sqlite"
import { memoryStore, type Operated, type Store } from "../src/index.js"

/** The directories that every rule of the service is tested with; a test's own, gone after it. */
export const stores: Readonly<Record<string, (test: TestContext) => Store & Operated>> = {
  memory: () => memoryStore(),
  SQLite(test) {
    const folder = mkdtempSync(join(tmpdir(), "conclave-auth-"))
    const database = openDatabase({ file: join(folder, "auth.db") })
    test.after(async () => {
      await database.close()
      rmSync(folder, { recursive: true, force: true })
    })
    return authStore(database)
  },
}
