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
    const rows = idsIn(text)
    assert.ok(rows.length > 20, `${rows.length} rows`)
    const before = JSON.parse(readFileSync(join(root, "attack/before.json"), "utf8"))
    const known = Object.keys(before.attacks)
    for (const row of rows)
      assert.ok(
        known.some((id) => id.replace(/[a-z]$/, "") === row),
        row,
      )
  })

  it("calls impossible only what is closed in the catalogue of attacks, and open all that is not", async () => {
    const { catalogue } = (await import(join(root, "attack/dist/src/catalogue.js"))) as {
      catalogue: CataloguedAttack[]
    }
    const openOf = (row: string) => catalogue.filter(({ id }) => withoutPart(id) === row).map(({ open }) => open)
    const cannot = text.split("\n").flatMap((line) => idsIn(line.split("|")[3] ?? ""))
    assert.ok(cannot.length > 20, `${cannot.length} rows`)
    for (const row of cannot) {
      assert.deepEqual([...new Set(openOf(row))], [undefined], `${row} is said to be impossible`)
    }
    const section = text.slice(text.indexOf("### Open"), text.indexOf("### The seven promises"))
    const open = catalogue.filter((attack) => attack.open !== undefined).map(({ id }) => withoutPart(id))
    assert.deepEqual(new Set(idsIn(section)), new Set(open))
  })
})

interface CataloguedAttack {
  readonly id: string
  readonly open?: string
}

/** `C3a` is a part of what is called `C3`. */
const withoutPart = (id: string) => id.replace(/[a-z]$/, "")

/** The ids of attacks in parentheses. */
function idsIn(part: string): readonly string[] {
  return [...part.matchAll(/\(((?:[CHML]\d+(?:, )?)+)\)/g)].flatMap(([, ids]) => ids!.split(", "))
}
