/**
 * `npm run simulate -- [--seeds N] [--from SEED] [--minutes M] [--clients 2..20] [--twice]`: tries one seed after another, up
 * to the first that fails, which is made small. `--twice` runs every seed twice and compares, byte for byte.
 *
 * `--seed X [--trace]` tries one, and tells what happens in it.
 *
 * `--planted [--planted-seeds N] [--bug PART]…` plants each known bug, or those with PART in their names, and counts the
 * seeds until it is found. A bug of which a plan is kept is tried with that first.
 *
 * Exit code 1: something was found that should not be, or a planted bug was not. Exit code 2: the arguments are wrong.
 */
import { parseArgs } from "node:util"
import { huntPlanted } from "./hunt.js"
import type { Violation } from "./invariants.js"
import { NAMES, type Plan, planOf } from "./plan.js"
import { bugs } from "./planted.js"
import { Figures, story } from "./report.js"
import { shrink } from "./shrink.js"
import { runTwice } from "./twice.js"
import { type Outcome, run } from "./world.js"

const { values } = parseArgs({
  options: {
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    minutes: { type: "string" },
    clients: { type: "string" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    twice: { type: "boolean", default: false },
    planted: { type: "boolean", default: false },
    bug: { type: "string", multiple: true },
    "planted-seeds": { type: "string", default: "3000" },
  },
})
const SHRINKING_MILLISECONDS = 60_000

const devices = values.clients === undefined ? undefined : numberOf("clients", values.clients, 2, NAMES.length)
const from = numberOf("from", values.seed ?? values.from, 0, 2 ** 31)
if (values.planted) await tryPlanted(numberOf("planted-seeds", values["planted-seeds"], 1, 1e6))
else if (values.seed !== undefined) await trySeed()
else await trySeeds()

async function trySeeds(): Promise<void> {
  const seedsMax = values.seeds === undefined ? Number.POSITIVE_INFINITY : numberOf("seeds", values.seeds, 1, 1e9)
  const minutes = values.minutes === undefined ? undefined : numberOf("minutes", values.minutes, 0, 1e6)
  const count = values.seeds === undefined && minutes === undefined ? 200 : seedsMax
  const begun = performance.now()
  const figures = new Figures()
  let said = begun
  for (let n = 0; n < count; n++) {
    if (minutes !== undefined && performance.now() - begun > minutes * 60_000) break
    const plan = planOf({ seed: from + n, devices })
    const outcome = await (values.twice ? runTwice(plan) : run(plan))
    figures.add(outcome)
    if (performance.now() - said > 30_000) {
      said = performance.now()
      console.log(figures.inWords())
    }
    if (outcome.violation !== undefined) return await tellFailure(plan, outcome.violation)
  }
  console.log(figures.inWords())
  console.log("nothing was found")
}

async function trySeed(): Promise<void> {
  const plan = planOf({ seed: from, devices })
  console.log(story(plan))
  const outcome = await runTwice(plan, { trace: values.trace })
  for (const line of outcome.lines) console.log(line)
  tellOutcome(outcome)
  if (outcome.violation !== undefined) await tellFailure(plan, outcome.violation)
}

function tellOutcome({ steps, fingerprint, entries }: Outcome): void {
  console.log(`${steps} steps, ${entries} entries in the logs, everything that happened: ${fingerprint.slice(0, 16)}`)
}

async function tellFailure(plan: Plan, violation: Violation): Promise<void> {
  process.exitCode = 1
  console.log(`\nseed ${plan.seed}: ${violation.message}`)
  const again = (await run(plan)).violation
  console.log(again?.message === violation.message ? "it is the same again" : `again it is: ${again?.message}`)
  const begun = performance.now()
  const small = await shrink(plan, violation, {
    attempt: async (smaller) => (await run(smaller)).violation,
    goesOn: () => performance.now() - begun < SHRINKING_MILLISECONDS,
  })
  const told = (await run(small)).violation
  console.log(`\n${small.items.length} of ${plan.items.length} items are enough, ${story(small)}`)
  console.log(`then: ${told?.message}`)
  const clients = devices === undefined ? "" : ` --clients ${devices}`
  console.log(`\nRepeat it: npm run simulate -- --seed ${plan.seed}${clients} --trace`)
}

async function tryPlanted(seedsMax: number): Promise<void> {
  let caught = 0
  const chosen = bugs.filter(({ name }) => values.bug?.some((part) => name.includes(part)) ?? true)
  for (const bug of chosen) {
    const { seeds, seed, invariant } = await huntPlanted(bug, { from, seedsMax })
    if (seeds !== undefined) caught++
    const took = seeds === 0 ? "its kept plan" : `${seeds} seeds (seed ${seed})`
    const how = seeds === undefined ? `not in ${seedsMax} seeds` : `${took}: ${invariant}`
    console.log(`${bug.name}: ${how}`)
  }
  console.log(`planted bugs caught: ${caught} of ${chosen.length}`)
  if (caught < chosen.length) process.exitCode = 1
}

function numberOf(option: string, given: string, least: number, most: number): number {
  const number = Number(given)
  if (number >= least && number <= most) return number
  console.error(`--${option}: a number from ${least} to ${most}`)
  process.exit(2)
}
