/** `npm run simulate -- --help` tells what it does; see `arguments.ts`. */
import { type Arguments, argumentsOf, usage, WrongArguments } from "./arguments.js"
import { type Hunt, huntPlanted } from "./hunt.js"
import { attempts, type Trial } from "./jobs.js"
import { type PlanOptions, planOf } from "./plan.js"
import { bugs } from "./planted.js"
import { gatewayBugs } from "./planted-gateways.js"
import { Figures, type KilledBug, rowOf, story } from "./report.js"
import { shrink } from "./shrink.js"
import { runTwice } from "./twice.js"
import { run } from "./world.js"

const SHRINKING_MILLISECONDS = 60_000
const SAYING_MILLISECONDS = 30_000

try {
  await main(argumentsOf(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof WrongArguments)) throw error
  console.error(error.message)
  process.exitCode = 2
}

async function main(options: Arguments): Promise<void> {
  if (options.help) process.stdout.write(usage)
  else if (options.planted) await tryPlanted(options)
  else if (options.seed !== undefined) await trySeed(options.seed, options)
  else await trySeeds(options)
}

async function trySeeds({ seeds, minutes, jobs, from, clients: devices, failovers, twice }: Arguments): Promise<void> {
  const count = seeds ?? (minutes === undefined ? 200 : Number.POSITIVE_INFINITY)
  const begun = performance.now()
  const figures = new Figures()
  let said = begun
  function* trials(): Generator<Trial> {
    for (let n = 0; n < count; n++) {
      if (minutes !== undefined && performance.now() - begun > minutes * 60_000) return
      yield { seed: from + n, devices, failovers, twice }
    }
  }
  for await (const tried of attempts(trials(), jobs)) {
    figures.add(tried)
    if (performance.now() - said > SAYING_MILLISECONDS) {
      said = performance.now()
      console.log(figures.inWords())
    }
    if (tried.violation !== undefined) return await tellFailure({ seed: tried.seed, devices, failovers })
  }
  console.log(figures.inWords())
  console.log("nothing was found")
}

async function trySeed(seed: number, { clients: devices, failovers, trace }: Arguments): Promise<void> {
  const options = { seed, devices, failovers }
  const plan = planOf(options)
  console.log(story(plan))
  const { lines, steps, entries, fingerprint, violation } = await runTwice(plan, { trace })
  for (const line of lines) console.log(line)
  console.log(`${steps} steps, ${entries} entries in the logs, everything that happened: ${fingerprint.slice(0, 16)}`)
  if (violation !== undefined) await tellFailure(options)
}

async function tellFailure(options: PlanOptions): Promise<void> {
  process.exitCode = 1
  const { seed, devices, failovers } = options
  const plan = planOf(options)
  const { violation } = await runTwice(plan)
  if (violation === undefined) {
    console.log(`\nseed ${seed}: it failed, and does not when it is repeated`)
    return
  }
  console.log(`\nseed ${seed}: ${violation.message}`)
  const begun = performance.now()
  const small = await shrink(plan, violation, {
    attempt: async (smaller) => (await run(smaller)).violation,
    goesOn: () => performance.now() - begun < SHRINKING_MILLISECONDS,
  })
  const told = (await run(small)).violation
  console.log(`\n${small.items.length} of ${plan.items.length} items are enough, ${story(small)}`)
  console.log(`then: ${told?.message}`)
  const clients = devices === undefined ? "" : ` --clients ${devices}`
  const early = failovers ? " --failovers" : ""
  console.log(`\nRepeat it: npm run simulate -- --seed ${seed}${clients}${early} --trace`)
}

async function tryPlanted(options: Arguments): Promise<void> {
  const { from, plantedSeeds: seedsMax, bugs: parts, gatewayBugs: areOfGateways, bySeeds, jobs } = options
  const among = areOfGateways ? gatewayBugs : bugs
  const chosen = among.filter(({ name }) => parts?.some((part) => name.includes(part)) ?? true)
  const hunts: Promise<Hunt>[] = []
  const killed: KilledBug[] = []
  for (const [at, { name }] of chosen.entries()) {
    // Told in their order, whatever ends first.
    while (hunts.length < Math.min(chosen.length, at + jobs)) {
      hunts.push(huntPlanted(chosen[hunts.length]!, { from, seedsMax, bySeeds }))
    }
    killed.push({ name, ...(await hunts[at]!) })
    console.log(rowOf(killed.at(-1)!, seedsMax))
  }
  const bySeedsAlone = killed.filter(({ seeds }) => (seeds ?? 0) > 0).length
  const byPlans = killed.filter(({ seeds }) => seeds === 0).length
  console.log(
    `\nkilled / total: ${bySeedsAlone + byPlans} / ${chosen.length}; ${bySeedsAlone} by seeds, ${byPlans} by kept plans`,
  )
  if (bySeedsAlone + byPlans < chosen.length) process.exitCode = 1
}
