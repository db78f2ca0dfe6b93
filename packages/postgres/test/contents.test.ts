import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { sha256 } from "@conclave/testing/delivery"
import { noPostgres } from "@conclave/testing/servers"
import { authStore, blobStore, deliveryStore, pushStore } from "../src/index.js"
import { message, newGroup, opened, postgres } from "./support.js"

const document = readFileSync(new URL("../../../../docs/operating.md", import.meta.url), "utf8")

/** Rows like "| `table` | `column` `column` | …". */
function documented(): Map<string, readonly string[]> {
  const chapter = document.slice(document.indexOf("### What an order would find in PostgreSQL"))
  const rows = [...chapter.matchAll(/^\| `(\w+)` \| ((?:`\w+` ?)+) \|/gm)]
  return new Map(rows.map(([, table, columns]) => [table!, columns!.match(/\w+/g)!.sort()]))
}

describe("what a service's database holds", { skip: noPostgres }, () => {
  const server = postgres()

  it("is what the operator's handbook says that an order would find: each table and each column", async (test) => {
    const database = await opened(test, server)
    await authStore(database)
    const store = await deliveryStore(database, sha256)
    await pushStore(database)
    await blobStore(database)
    // With a partition, which is a part of its table.
    await store.createGroup(newGroup("group"))
    await store.append(message("group", "message"))
    const columns = await database.look((connection) =>
      connection.all(
        `SELECT relname::text AS "table", attname::text AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
           AND attnum > 0 AND NOT attisdropped`,
      ),
    )
    const held = new Map<string, string[]>()
    for (const { table, name } of columns) held.set(table, [...(held.get(table) ?? []), name].sort())
    assert.ok(held.size > 20)
    assert.deepEqual([...documented()].sort(), [...held].sort())
  })
})
