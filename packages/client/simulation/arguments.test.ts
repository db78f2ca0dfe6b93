import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { argumentsOf, usage, WrongArguments } from "./arguments.js"
import { attempt, attempts, type Trial } from "./jobs.js"

describe("the simulation's command", () => {
  it("tells each option in its usage, in lines of at most 80 columns", () => {
    const others = ["--planted-seeds", "--gateway-bugs", "--by-seeds", "--bug", "--help"]
    for (const option of ["--seeds", "--minutes", "--jobs", "--clients", "--failovers", ...others]) {
      assert.ok(usage.includes(`  ${option} `), option)
    }
    assert.ok(usage.split("\n").every((line) => line.length <= 80))
    assert.equal(argumentsOf(["--help"]).help, true)
    assert.equal(argumentsOf(["--seeds", "5", "--jobs", "2"]).jobs, 2)
  })

  for (const wrong of [
    ["--sedes", "5"],
    ["5"],
    ["--seeds"],
    ["--jobs", "0"],
    ["--clients", "21"],
    ["--seeds", "many"],
  ]) {
    it(`says in one sentence what is wrong with ${wrong.join(" ")}`, () => {
      assert.throws(
        () => argumentsOf(wrong),
        (error: Error) => error instanceof WrongArguments && !/\. |\n/.test(error.message),
      )
    })
  }

  it("tells seeds in their order, whichever process tries them", async () => {
    const trials: Trial[] = [4, 14].map((seed) => ({ seed, devices: 3, twice: false }))
    const told: unknown[] = []
    for await (const tried of attempts(trials, 2)) told.push(tried)
    const alone: unknown[] = []
    for (const trial of trials) alone.push(await attempt(trial))
    assert.deepEqual(told, alone)
  })
})
