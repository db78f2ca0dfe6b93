import { Violation } from "./invariants.js"
import type { Plan } from "./plan.js"
import { type Outcome, type RunOptions, run } from "./world.js"

/** Runs a plan twice: everything that happens must be the same, byte for byte. */
export async function runTwice(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const first = await run(plan, options)
  const second = await run(plan, options)
  if (first.fingerprint === second.fingerprint || first.violation !== undefined) return first
  const difference = first.lines.findIndex((line, at) => line !== second.lines[at])
  const where = difference < 0 ? "" : `: ${first.lines[difference]}, and ${second.lines[difference]}`
  return { ...first, violation: new Violation("a seed decides everything", `two runs differ${where}`) }
}
