import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { sha256 } from "@conclave/testing/delivery"
import { authStore, blobStore, deliveryStore, openDatabase, pushStore } from "../src/index.js"

const document = readFileSync(new URL("../../../../docs/operating.md", import.meta.url), "utf8")

/** Rows like "| `table` | `column` `column` | …". */
function documented(): Map<string, readonly string[]> {
  const [chapter] = document.slice(document.indexOf("## What a court order would find")).split("\n## Back up\n")
  const rows = [...chapter!.matchAll(/^\| `(\w+)` \| ((?:`\w+` ?)+) \|/gm)]
  return new Map(rows.map(([, table, columns]) => [table!, columns!.match(/\w+/g)!.sort()]))
}

describe("what a service's file holds", () => {
  it("is what the operator's handbook says that an order would find: each table and each column", async () => {
    await using database = openDatabase({ file: ":memory:" })
    authStore(database)
    deliveryStore(database, sha256)
    pushStore(database)
    // In a file of its own otherwise.
    blobStore(database)
    const columns = database.read((connection) =>
      connection.all(
        `SELECT tables.name AS "table", columns.name AS name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'`,
      ),
    )
    const held = new Map<string, string[]>()
    for (const { table, name } of columns) held.set(table, [...(held.get(table) ?? []), name].sort())
    assert.ok(held.size > 10)
    assert.deepEqual([...documented()].sort(), [...held].sort())
  })
})
