/**
 * `npm run model`: explores each scenario, with every rule kept. `-- --planted` leaves one rule out at a time;
 * `-- --implemented` keeps the rules that the implementation keeps; `-- --traces` writes the traces of the planted faults.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { exploreForks } from "./fork.js"
import { invariants } from "./invariants.js"
import { hunt, planted } from "./planted.js"
import { asImplemented, mended, mendNames, ruleWords } from "./rules.js"
import { scenarios } from "./scenarios.js"
import { type Exploration, explore } from "./search.js"
import { allTraces, type Trace, withKept } from "./traces.js"
import { inWords } from "./words.js"

const FORK = {
  name: "fork",
  words: "a service shows two histories (a model of what is planned: heads that members compare)",
}
/** Two processors are enough. */
const AT_ONCE = 2
/** Of an exploration of the rules as they are implemented, which is not run to its end. */
const STATES_AS_IMPLEMENTED = 20_000

interface Job {
  readonly name: string
  readonly rules: "mended" | "implemented"
}

if (isMainThread) {
  const [flag] = process.argv.slice(2)
  if (flag === undefined) await scenariosOf("mended")
  else if (flag === "--implemented") await scenariosOf("implemented")
  else if (flag === "--planted") huntAll()
  else if (flag === "--traces") writeTraces()
  else {
    console.error(`There is no ${flag}: --planted, --implemented or --traces.`)
    process.exitCode = 2
  }
} else parentPort!.postMessage(run(workerData as Job))

function run({ name, rules: which }: Job): Exploration {
  const rules = which === "mended" ? mended : asImplemented
  const until = which === "mended" ? {} : { states: STATES_AS_IMPLEMENTED }
  const scenario = scenarios.find((it) => it.name === name)
  return scenario === undefined ? exploreForks(rules, until) : explore(scenario, rules, until)
}

async function scenariosOf(rules: Job["rules"]): Promise<void> {
  const names = [...scenarios, FORK]
  const results: Promise<Exploration>[] = []
  const start = (): void => {
    const next = names[results.length]
    if (next === undefined) return
    const result = inWorker({ name: next.name, rules })
    results.push(result)
    result.then(start, () => {})
  }
  for (let at = 0; at < AT_ONCE; at++) start()
  for (let at = 0; at < names.length; at++) {
    const { name, words } = names[at]!
    if (!tell(name, words, await results[at]!, rules)) process.exitCode = 1
  }
}

function inWorker(job: Job): Promise<Exploration> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: 3_000 },
    })
    worker.once("message", resolve)
    worker.once("error", reject)
  })
}

function tell(
  name: string,
  words: string,
  { states, seconds, isComplete, found }: Exploration,
  rules: Job["rules"],
): boolean {
  const violated = new Set(found.map(({ of }) => of).filter((of) => of !== "limit"))
  const kept = Object.keys(invariants).length - violated.size
  const whole = isComplete ? "all" : "the first"
  console.log(`${name}: ${words}`)
  console.log(
    `  ${whole} ${states} states, ${seconds.toFixed(1)} s, ${kept} of ${Object.keys(invariants).length} invariants hold`,
  )
  for (const { of, words: what, trace } of found) {
    if (of === "limit") console.log(`  limit: ${what}`)
    else {
      console.log(`  VIOLATED: ${invariants[of]}: ${what}`)
      for (const action of trace) console.log(`    ${inWords(action)}`)
    }
  }
  return violated.size === 0 && (isComplete || rules === "implemented")
}

function huntAll(): void {
  let count = 0
  for (const fault of planted) {
    const { found, states } = hunt(fault)
    if (found !== undefined) count++
    const isMend = (mendNames as readonly string[]).includes(fault.rule)
    console.log(
      `${found === undefined ? "NOT FOUND" : "found"}: without "${ruleWords[fault.rule]}"${isMend ? " (would be a mend)" : ""}`,
    )
    console.log(`  ${fault.scenario}, ${states} states: ${found?.words ?? ""}`)
    for (const action of found?.trace ?? []) console.log(`    ${inWords(action)}`)
  }
  console.log(`${count} of ${planted.length} planted faults found`)
  if (count < planted.length) process.exitCode = 1
}

function writeTraces(): void {
  for (const [rule, trace] of allTraces()) {
    if (trace === undefined) continue
    const file = fileURLToPath(new URL(`../../traces/${rule}.json`, import.meta.url))
    writeFileSync(file, `${JSON.stringify(trace, undefined, 2)}\n`)
  }
  // Those of no fault are kept by hand, but for what the model says to each of their actions.
  const folder = new URL("../../traces/", import.meta.url)
  for (const name of readdirSync(folder)) {
    const file = new URL(name, folder)
    const trace = JSON.parse(readFileSync(file, "utf8")) as Trace
    if (trace.without === undefined) writeFileSync(file, `${JSON.stringify(withKept(trace), undefined, 2)}\n`)
  }
}
