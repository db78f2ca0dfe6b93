import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { catalogue } from "../src/catalogue.js"
import { attacksPage } from "../src/document.js"

const read = (name: string) => readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8")

describe("docs/attacks.md", () => {
  it("is what the catalogue says: npm run docs:attacks", () => {
    const { attacks } = JSON.parse(read("attack/before.json"))
    assert.equal(read("docs/attacks.md"), attacksPage(catalogue, attacks))
  })

  it("has every attack once", () => {
    const listed = [...read("docs/attacks.md").matchAll(/^\| ([A-Z]\w+) \|/gm)].map(([, id]) => id)
    assert.deepEqual([...listed].sort(), catalogue.map(({ id }) => id).sort())
  })
})
