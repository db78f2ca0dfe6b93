/**
 * `npm run recovery -- [--harm stuck|stopped] [--sizes 5,50,500] [--seeds 1000] [--from 1] [--minutes 15]`: for each size as
 * many seeds as there are, or as fit into the minutes; `--each` prints every run.
 */
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { run } from "./run.js"
import { runStopped } from "./stopped.js"
import { report, reportStopped } from "./summary.js"
import { type Template, template } from "./template.js"

/** What all kinds of run have. */
interface Outcome {
  readonly lost: readonly string[]
  readonly wrong?: readonly string[]
}

interface Harm {
  run(template: Template, options: { readonly seed: number }): Promise<Outcome>
  /** `all`: of runs of this kind. */
  report(size: number, all: readonly Outcome[]): string
}

const harms: { readonly [name: string]: Harm } = {
  stuck: { run, report },
  stopped: { run: runStopped, report: reportStopped },
}

interface Job {
  readonly harm: string
  readonly size: number
  /** Of these seeds, beginning with `from`, each `step`th. */
  readonly from: number
  readonly to: number
  readonly step: number
  readonly minutes: number
}

interface Done {
  readonly seed: number
  readonly outcome: Outcome
}

/** Two processors are enough. */
const AT_ONCE = 2
/** In a group of more members, so many of them set their path in the tree; in a smaller one, all. */
const RENEWALS = { all: 50, most: 16 }

if (isMainThread) await main()
else await work(workerData as Job)

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      harm: { type: "string", default: "stuck" },
      sizes: { type: "string", default: "5,50,500" },
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      minutes: { type: "string", default: "15" },
      each: { type: "boolean", default: false },
    },
  })
  const { harm } = values
  if (!Object.hasOwn(harms, harm)) throw new TypeError(`--harm is one of ${Object.keys(harms).join(" and ")}`)
  const [seeds, first, minutes] = [values.seeds, values.from, values.minutes].map(Number) as [number, number, number]
  for (const size of values.sizes.split(",").map(Number)) {
    const done: Done[] = []
    const note = (it: Done) => {
      done.push(it)
      if (values.each) console.log(size, it.seed, JSON.stringify(it.outcome))
    }
    const workers = Array.from({ length: Math.min(AT_ONCE, seeds) }, (_, at) =>
      inWorker({ harm, size, from: first + at, to: first + seeds - 1, step: AT_ONCE, minutes }, note),
    )
    await Promise.all(workers)
    console.log(
      harms[harm]!.report(
        size,
        done.map(({ outcome }) => outcome),
      ),
    )
    for (const { seed, outcome } of done) {
      const { lost, wrong = [] } = outcome
      for (const text of lost.slice(0, 3)) console.log(`  seed ${seed} lost ${text}`)
      for (const text of wrong.slice(0, 3)) console.log(`  seed ${seed} wrong: ${text}`)
      if (lost.length + wrong.length > 0) process.exitCode = 1
    }
  }
}

function inWorker(job: Job, note: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(fileURLToPath(import.meta.url), {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: 8_000 },
    })
    worker.on("message", note)
    worker.once("error", reject)
    worker.once("exit", () => resolve())
  })
}

/** The last run may end after the time: one that has begun is completed. */
async function work({ harm, size, from, to, step, minutes }: Job): Promise<void> {
  const elapsed = performance.now.bind(performance)
  const made = await template(size, size <= RENEWALS.all ? size : RENEWALS.most)
  const end = elapsed() + minutes * 60_000
  for (let seed = from; seed <= to && elapsed() < end; seed += step) {
    parentPort!.postMessage({ seed, outcome: await harms[harm]!.run(made, { seed }) } satisfies Done)
  }
}
