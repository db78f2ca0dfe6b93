import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { catalogue } from "../src/catalogue.js"
import { runTogether } from "../src/run.js"

const PROCESSES = 2
const attacks = catalogue.filter(({ quick }) => quick === true)

describe("the attacks that take little time", () => {
  const shares = Array.from({ length: PROCESSES }, (_, share) => attacks.filter((_, at) => at % PROCESSES === share))
  const outcomes = new Map(shares.flatMap((share) => [...runTogether(share)]))
  for (const { id, title, open } of attacks) {
    const expected = open === undefined ? "does not succeed" : `is open until "${open}"`
    test(`${id} ${expected}: ${title}`, async () => {
      const ran = (await outcomes.get(id))!
      assert.ok("succeeded" in ran, "broken" in ran ? ran.broken : "")
      assert.equal(ran.succeeded, open !== undefined, ran.evidence)
    })
  }
})
