import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { test } from "node:test"
import { root } from "./repository.js"
import { rulesDocument } from "./rules-document.js"

test("docs/rules.md is what the table of rules says", () => {
  const options = ["tools/dist/document-rules.js", "--check"]
  const { status, stderr } = spawnSync(process.execPath, options, { cwd: join(root), encoding: "utf8" })
  assert.equal(status, 0, stderr)
})

test("rules are listed by section, as numbers", () => {
  const table = {
    third: { section: "12.1.10", text: "C" },
    second: { section: "12.1.9", text: "B" },
    first: { section: "5.3", text: "A" },
    fourth: { section: "13", text: "D" },
  }
  const document = rulesDocument(table)
  const order = ["first", "second", "third", "fourth"].map((id) => document.indexOf(`\`${id}\``))
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    order,
  )
  assert(order[0]! > 0)
})
