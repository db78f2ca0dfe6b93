import assert from "node:assert/strict"
import { test } from "node:test"
import { measureShares, sharesTable } from "../lab/shares.js"

const floods = ["half bodies", "unread pings", "many streams"] as const
const MEBIBYTE = 1024 * 1024

// The times are measured by `npm run lab -- shares`: here another test may have the processor.
test("a flood from one address keeps no memory, and nobody elsewhere or beside it waits in vain", async () => {
  const rows = await measureShares({ seconds: 0.4, lines: 1500, floods })
  for (const { flood, elsewhere, neighbour, memoryBytes } of rows) {
    const table = sharesTable(rows)
    assert.ok(elsewhere.asked > 0 && elsewhere.failed === 0, `${flood}\n${table}`)
    assert.ok(neighbour.asked > 0 && neighbour.failed === 0, `${flood}\n${table}`)
    assert.ok(memoryBytes < 300 * MEBIBYTE, `${flood}\n${table}`)
  }
})
