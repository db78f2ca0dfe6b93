import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { memoryStore } from "@conclave/delivery"
import { referenceConformance, sha256 } from "@conclave/testing/delivery"

describe("the model of a delivery store", () => {
  referenceConformance(() => memoryStore(sha256), 1_000)
})

describe("the reference of a delivery store", () => {
  it("has at most 150 lines", () => {
    const source = readFileSync(new URL("../../../testing/src/delivery-reference.ts", import.meta.url), "utf8")
    const lines = source.trimEnd().split("\n")
    assert.ok(lines.some((line) => line.startsWith("export function referenceStore")))
    assert.ok(lines.length <= 150, `${lines.length} lines`)
    // Nothing of it is kept elsewhere: it knows the contract's types and one number.
    const imported = lines.flatMap((line) => /^import .*"(.*)"$/.exec(line)?.[1] ?? [])
    assert.deepEqual(imported, ["@conclave/contracts/delivery", "@conclave/delivery/store"])
  })
})
