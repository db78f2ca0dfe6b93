import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { root } from "./repository.js"

const text = readFileSync(join(root, "SECURITY.md"), "utf8")

describe("SECURITY.md", () => {
  it("names tests that exist", () => {
    const files = [...text.matchAll(/`(packages\/[^`]+)`/g)].map(([, file]) => file!)
    assert.ok(files.length > 10, `${files.length} files`)
    for (const file of files) assert.ok(existsSync(join(root, file)), file)
  })

  it("names commands that exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    for (const [, script] of text.matchAll(/`npm run ([\w:-]+)/g)) assert.ok(script! in scripts, script)
  })

  it("names attacks that are run", () => {
    const rows = [...text.matchAll(/\(((?:[CHML]\d+(?:, )?)+)\)/g)].flatMap(([, ids]) => ids!.split(", "))
    assert.ok(rows.length > 20, `${rows.length} rows`)
    const before = JSON.parse(readFileSync(join(root, "attack/before.json"), "utf8"))
    const known = Object.keys(before.attacks)
    for (const row of rows)
      assert.ok(
        known.some((id) => id.replace(/[a-z]$/, "") === row),
        row,
      )
  })
})
