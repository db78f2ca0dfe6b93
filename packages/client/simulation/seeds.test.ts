import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { longSeeds } from "../test/support/long.js"
import { found } from "./found.js"
import { hunt, huntPlanted } from "./hunt.js"
import { planOf } from "./plan.js"
import { bugs, urlOf, withChanges } from "./planted.js"
import { story } from "./report.js"
import { shrink } from "./shrink.js"
import { runTwice } from "./twice.js"
import { run } from "./world.js"

const SEEDS = longSeeds ?? 4
/** A planted bug that shows early. */
const EARLY = "an invitation takes a key package that was used"

describe("whole clients in a simulation", () => {
  it(`keep every invariant, and a seed decides everything (${SEEDS} seeds)`, async (context) => {
    let steps = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await runTwice(planOf({ seed }))
      assert.equal(outcome.violation, undefined, `seed ${seed}`)
      steps += outcome.steps
    }
    context.diagnostic(`${steps} steps`)
    assert.ok(steps > 100 * SEEDS, `only ${steps} steps`)
  })

  for (const [name, plan] of Object.entries(found)) {
    it(`keep every invariant where they did not before: ${name}`, async () => {
      assert.equal((await run(plan)).violation, undefined)
    })
  }

  it("are found out where the SDK has a bug", async () => {
    const bug = bugs.find(({ name }) => name === EARLY)!
    const { seeds, invariant } = await huntPlanted(bug, { from: 1, seedsMax: 40, bySeeds: true })
    assert.equal(invariant, "a key package is used once", `after ${seeds} seeds`)
  })

  it("are found out where a gateway has a bug", async () => {
    const bug = bugs.find(({ name }) => name === "a gateway never makes a lost hint good")!
    const { seeds, invariant } = await huntPlanted(bug, { from: 1, seedsMax: 20, bySeeds: true })
    assert.equal(invariant, "who listens hears", `after ${seeds} seeds`)
  })

  it("are found out where the service lies, and the story is made small", async () => {
    const lie = "takes two commits for one place"
    const { seed } = await hunt({ lie }, { from: 1, seedsMax: 400, bySeeds: true })
    const plan = planOf({ seed })
    const { violation } = await run(plan, { lie })
    assert.equal(violation?.invariant, "one commit for each place")
    let attempts = 0
    const small = await shrink(plan, violation, {
      attempt: async (smaller) => (await run(smaller, { lie })).violation,
      goesOn: () => attempts++ < 30,
    })
    assert.ok(small.items.length < plan.items.length / 2, story(small))
    assert.equal((await run(small, { lie })).violation?.shape, violation.shape)
  })

  it("could have every planted bug: its text is in the compiled code", () => {
    for (const { name, changes = [] } of bugs) {
      for (const url of new Set(changes.map(urlOf))) {
        const text = readFileSync(new URL(url), "utf8")
        assert.notEqual(withChanges(url, text, changes), text, name)
      }
    }
  })
})
