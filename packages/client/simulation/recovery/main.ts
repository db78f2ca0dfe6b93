/**
 * `npm run recovery -- [--sizes 5,50,500] [--seeds 1000] [--from 1] [--minutes 15]`: for each size as many seeds as there are,
 * or as fit into the minutes; `--each` prints every run.
 */
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { type Recovered, run } from "./run.js"
import { report } from "./summary.js"
import { template } from "./template.js"

interface Job {
  readonly size: number
  /** Of these seeds, beginning with `from`, each `step`th. */
  readonly from: number
  readonly to: number
  readonly step: number
  readonly minutes: number
}

interface Done {
  readonly seed: number
  readonly recovered: Recovered
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
      sizes: { type: "string", default: "5,50,500" },
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      minutes: { type: "string", default: "15" },
      each: { type: "boolean", default: false },
    },
  })
  const [seeds, first, minutes] = [values.seeds, values.from, values.minutes].map(Number) as [number, number, number]
  for (const size of values.sizes.split(",").map(Number)) {
    const done: Done[] = []
    const note = (it: Done) => {
      done.push(it)
      if (values.each) console.log(size, it.seed, JSON.stringify(it.recovered))
    }
    const workers = Array.from({ length: Math.min(AT_ONCE, seeds) }, (_, at) =>
      inWorker({ size, from: first + at, to: first + seeds - 1, step: AT_ONCE, minutes }, note),
    )
    await Promise.all(workers)
    console.log(
      report(
        size,
        done.map(({ recovered }) => recovered),
      ),
    )
    for (const { seed, recovered } of done) {
      for (const text of recovered.lost.slice(0, 3)) console.log(`  seed ${seed} lost ${text}`)
      if (recovered.lost.length > 0) process.exitCode = 1
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
async function work({ size, from, to, step, minutes }: Job): Promise<void> {
  const elapsed = performance.now.bind(performance)
  const end = elapsed() + minutes * 60_000
  const made = await template(size, size <= RENEWALS.all ? size : RENEWALS.most)
  for (let seed = from; seed <= to && elapsed() < end; seed += step) {
    parentPort!.postMessage({ seed, recovered: await run(made, { seed }) } satisfies Done)
  }
}
