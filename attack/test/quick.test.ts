import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { catalogue } from "../src/catalogue.js"
import { runAttack } from "../src/run.js"

describe("the attacks that take little time", { concurrency: 2 }, () => {
  for (const attack of catalogue.filter(({ quick }) => quick === true)) {
    const { id, title, open } = attack
    const expected = open === undefined ? "does not succeed" : `is open until "${open}"`
    test(`${id} ${expected}: ${title}`, async () => {
      const ran = await runAttack(attack)
      assert.ok("succeeded" in ran, "broken" in ran ? ran.broken : "")
      assert.equal(ran.succeeded, open !== undefined, ran.evidence)
    })
  }
})
