import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { scalarExperiments, tagExperiments } from "./timing/experiments.js"
import { type Experiment, measure, tMax } from "./timing/welch.js"

/*
 * The quick version: it sees a comparison that leaves early within a second, and is no proof that nothing leaks. See
 * docs/decisions for what JavaScript can promise, and `npm run test:timing` for the long version.
 */

/** What else the machine does may look like a difference once; a real one is there every time. */
function leastOf(tries: number, experiment: Experiment): number {
  let t = Number.POSITIVE_INFINITY
  for (let i = 0; i < tries && t > tMax; i++) t = Math.min(t, measure(experiment).t)
  return t
}

describe("the time that it takes to refuse a tag does not tell where it is wrong", () => {
  for (const experiment of tagExperiments().filter(({ leaks }) => !leaks)) {
    test(experiment.name, () => {
      const t = leastOf(4, experiment)
      assert(t < tMax, `t = ${t.toFixed(1)}, four times`)
    })
  }
})

describe("the same measurement tells apart what does leak", () => {
  for (const experiment of [...tagExperiments(), ...scalarExperiments()].filter(({ leaks }) => leaks)) {
    test(experiment.name, () => {
      const { t, medians } = measure(experiment)
      assert(t > tMax, `t = ${t.toFixed(1)}, medians ${medians.map((it) => it.toFixed(0)).join(" and ")} ns`)
    })
  }
})
