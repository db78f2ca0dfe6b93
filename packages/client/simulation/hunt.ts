import { spawn } from "node:child_process"
import { found } from "./found.js"
import type { InvariantName } from "./invariants.js"
import { planOf } from "./plan.js"
import type { Bug } from "./planted.js"
import { run } from "./world.js"

export interface Hunt {
  /** How many seeds it took, 0 where its kept plan shows it; `undefined` where all were tried in vain. */
  readonly seeds: number | undefined
  readonly seed: number
  readonly invariant: InvariantName | undefined
  readonly message: string
}

export interface HuntOptions {
  readonly from: number
  readonly seedsMax: number
  /** Without the plan that is kept for it. */
  readonly bySeeds: boolean
}

/** Tries one seed after another until a planted bug shows, in the code as it is loaded. */
export async function hunt(
  { lie, kept, matters = () => true }: Pick<Bug, "lie" | "kept" | "matters">,
  { from, seedsMax, bySeeds }: HuntOptions,
): Promise<Hunt> {
  const plan = kept === undefined || bySeeds ? undefined : found[kept]
  const shown = plan && (await run(plan, { lie })).violation
  if (plan !== undefined && shown !== undefined) {
    return { seeds: 0, seed: plan.seed, invariant: shown.invariant, message: shown.message }
  }
  for (let seeds = 1; seeds <= seedsMax; seeds++) {
    const seed = from + seeds - 1
    const tried = planOf({ seed })
    if (!matters(tried)) continue
    const { violation } = await run(tried, { lie })
    if (violation === undefined) continue
    return { seeds, seed, invariant: violation.invariant, message: violation.message }
  }
  return { seeds: undefined, seed: from, invariant: undefined, message: "" }
}

/** The same in a process of its own, in which the code has the bug. */
export async function huntPlanted(bug: Bug, { from, seedsMax, bySeeds }: HuntOptions): Promise<Hunt> {
  const planting = new URL("./planting.js", import.meta.url).href
  const main = new URL("./hunting.js", import.meta.url)
  const child = spawn(
    process.execPath,
    ["--max-semi-space-size=64", "--import", planting, main.pathname, `${from}`, `${seedsMax}`, `${bySeeds}`],
    {
      env: { ...process.env, CONCLAVE_PLANTED: bug.name },
      stdio: ["ignore", "pipe", "inherit"],
    },
  )
  let output = ""
  child.stdout.on("data", (text: Buffer) => {
    output += text
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject)
    child.once("close", resolve)
  })
  if (code !== 0) throw new Error(`the hunt for "${bug.name}" ended with ${code}`)
  return JSON.parse(output)
}
