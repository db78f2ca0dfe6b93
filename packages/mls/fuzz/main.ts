/**
 * `npm run fuzz -- [--seconds 60] [--seed n] [--target name] [--save] [--repeat file]`: tries everything that takes bytes
 * from anybody, guided by coverage. `--save` keeps what was found to be worth it in `fuzz/corpus.txt`; `--repeat` runs
 * the inputs of a file once.
 */
import { parseArgs } from "node:util"
import { corpusSize, keepFinding, readCorpus, writeCorpus } from "./corpus.js"
import { Coverage } from "./coverage.js"
import { distilled, execute, Finding, type FuzzResult, fuzz, limits, type Target } from "./engine.js"
import { drawing } from "./random.js"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    target: { type: "string" },
    save: { type: "boolean", default: false },
    repeat: { type: "string" },
  },
})

// V8 counts the blocks of what is compiled from now on: nothing under test may have been loaded.
const coverage = new Coverage(/\/packages\/(codec|crypto|mls|contracts|delivery|auth)\/dist\/src\//)
const { allTargets } = await import("./targets/index.js")
const targets = (await allTargets()).filter(({ name }) => values.target === undefined || name.startsWith(values.target))
try {
  if (values.repeat === undefined) await run(targets, Number(values.seconds), Number(values.seed))
  else await repeat(targets, values.repeat)
} catch (error) {
  if (!(error instanceof Finding)) throw error
  tell(error)
}

function tell(finding: Finding): void {
  console.error(finding)
  console.error(`\nRepeat it: npm run fuzz -- --repeat ${keepFinding(finding)}`)
  process.exitCode = 1
}

async function run(targets: readonly Target[], seconds: number, seed: number): Promise<void> {
  console.log(`Node ${process.version}, seed ${seed}, ${seconds} s, ${targets.length} targets`)
  const start = performance.now()
  let said = 0
  const goesOn = (executions: number): boolean => {
    const elapsed = (performance.now() - start) / 1000
    if (elapsed - said >= 30) {
      said = elapsed
      console.log(`${elapsed.toFixed(0)} s: ${executions} executions, ${coverage.edges} edges`)
    }
    return elapsed < seconds
  }
  const result = await fuzz({ targets, corpus: readCorpus(), coverage, draw: drawing(seed), goesOn })
  report(result, coverage, (performance.now() - start) / 1000)
  if (values.save) await save(targets, result, coverage)
  if (result.finding) tell(result.finding)
}

function report({ executions, outcomes, corpus }: FuzzResult, coverage: Coverage, seconds: number): void {
  const rules = new Set<string>()
  for (const [name, counts] of outcomes) {
    const sorted = [...counts].sort(([, a], [, b]) => b - a)
    for (const [outcome] of sorted) if (outcome.startsWith("refused: ")) rules.add(outcome)
    console.log(`${name}: ${sorted.map(([outcome, count]) => `${outcome} ${count}`).join(", ")}`)
  }
  const { inputs, bytes } = corpusSize(corpus)
  const memory = process.resourceUsage().maxRSS / 1024
  console.log(
    `\n${executions} executions in ${seconds.toFixed(0)} s (${(executions / seconds).toFixed(0)} a second), ` +
      `${coverage.edges} edges, ${inputs} inputs of ${bytes} bytes in the corpus, ` +
      `${rules.size} ways of being refused by a group, at most ${memory.toFixed(0)} MiB`,
  )
  if (memory * 1024 * 1024 > limits.memoryBytes) throw new Error("the process held more memory than it may")
}

async function save(targets: readonly Target[], { corpus }: FuzzResult, coverage: Coverage): Promise<void> {
  const kept = await distilled(targets, corpus, coverage)
  // Of targets that did not run, what is there stays.
  writeCorpus(new Map([...readCorpus(), ...kept]))
  const { inputs, bytes } = corpusSize(kept)
  console.log(`Kept ${inputs} inputs of ${bytes} bytes`)
}

async function repeat(targets: readonly Target[], file: string): Promise<void> {
  for (const [name, inputs] of readCorpus(file)) {
    const target = targets.find((it) => it.name === name)
    if (target === undefined) throw new Error(`there is no target ${name}`)
    for (const input of inputs) console.log(`${name}: ${await execute(target, input)}`)
  }
}
