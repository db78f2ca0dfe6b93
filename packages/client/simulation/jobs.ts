import { type ChildProcess, fork } from "node:child_process"
import type { Violation } from "./invariants.js"
import { type PlanOptions, planOf } from "./plan.js"
import { runTwice } from "./twice.js"
import { run } from "./world.js"

/** What is tried of a seed. */
export interface Trial extends PlanOptions {
  readonly twice: boolean
}

/** What came of it; crosses the border of a process. */
export interface Tried {
  readonly seed: number
  readonly steps: number
  readonly entries: number
  readonly violation: Pick<Violation, "invariant" | "message"> | undefined
}

export async function attempt({ twice, ...options }: Trial): Promise<Tried> {
  const plan = planOf(options)
  const { steps, entries, violation } = await (twice ? runTwice(plan) : run(plan))
  return {
    seed: options.seed,
    steps,
    entries,
    violation: violation && { invariant: violation.invariant, message: violation.message },
  }
}

/** Tries seed after seed, in processes of their own where there is more than one job; yields what came of them in their order. */
export async function* attempts(trials: Iterable<Trial>, jobs: number): AsyncGenerator<Tried> {
  if (jobs === 1) {
    for (const trial of trials) yield await attempt(trial)
    return
  }
  const workers = Array.from({ length: jobs }, () => new Worker())
  try {
    // At most so many seeds wait for one that takes longer.
    const underWay: Promise<Tried>[] = []
    const idle = [...workers]
    const waiting: ((worker: Worker) => void)[] = []
    const release = (worker: Worker) => {
      const next = waiting.shift()
      if (next === undefined) idle.push(worker)
      else next(worker)
    }
    const start = async (trial: Trial) => {
      const worker = idle.pop() ?? (await new Promise<Worker>((resolve) => waiting.push(resolve)))
      const tried = await worker.attempt(trial)
      release(worker)
      return tried
    }
    for (const trial of trials) {
      const attempted = start(trial)
      // Who waits for it may come later than its failure.
      attempted.catch(() => {})
      underWay.push(attempted)
      if (underWay.length >= jobs * AHEAD) yield await underWay.shift()!
    }
    for (const tried of underWay) yield await tried
  } finally {
    for (const worker of workers) worker.end()
  }
}

const AHEAD = 16

class Worker {
  readonly #process: ChildProcess = fork(new URL("./worker.js", import.meta.url), [], {
    // Most of what a seed makes is gone at its end. Of the parent's options those that plant a bug; a script would start workers of its own.
    execArgv: [...importsOf(process.execArgv), "--max-semi-space-size=64"],
    serialization: "advanced",
  })

  attempt(trial: Trial): Promise<Tried> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`the process of seed ${trial.seed} ended with ${code}`))
      this.#process.once("exit", ended)
      this.#process.once("message", (tried: Tried) => {
        this.#process.off("exit", ended)
        resolve(tried)
      })
      this.#process.send(trial)
    })
  }

  end(): void {
    this.#process.removeAllListeners()
    this.#process.kill()
  }
}

/** The options `--import MODULE` of a process. */
function importsOf(execArgv: readonly string[]): readonly string[] {
  return execArgv.flatMap((option, at) => (option === "--import" ? [option, execArgv[at + 1]!] : []))
}
