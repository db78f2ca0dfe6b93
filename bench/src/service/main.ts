import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { given } from "@conclave/interop"
import { table } from "../contest.js"
import { machine } from "../machine.js"
import { commits } from "./commits.js"
import { fanOut } from "./fan-out.js"
import { gateways } from "./gateways.js"
import { idleDevices } from "./idle-devices.js"
import { largeGroup } from "./large-group.js"
import { manyGroups } from "./many-groups.js"
import { postgresAppends } from "./postgres-appends.js"
import { reportPage } from "./report/page.js"
import { figure, goalText, isMet, type Measurement, type Outcome, type Run, withUnit } from "./results.js"
import type { Scenario, Setting } from "./scenario.js"
import { sqliteAppends } from "./sqlite-appends.js"
import { load } from "./usage.js"

/*
 * npm run bench:service -- [--quick] [--rounds 3] [--only sqlite-appends,large-group]
 *                          [--report FILE.html] [--json FILE] [--before RESULTS.json] [--wishes 100]
 *
 * Loads a service on the loopback address and prints what it does beside something bare that does the same: in one run, in
 * turn. Clients are a process apart from the server where they would disturb it. `BENCH_CPU_PROFILES=FOLDER` writes a profile
 * of each server's CPU.
 */

const scenarios: readonly Scenario[] = [
  sqliteAppends,
  postgresAppends,
  fanOut,
  manyGroups,
  largeGroup,
  idleDevices,
  commits,
  gateways,
]

const usage =
  "bench:service -- --quick --rounds 3 --only NAME,NAME --report FILE.html --json FILE --before RESULTS.json --wishes 100"
const options = given(
  () =>
    parseArgs({
      options: {
        quick: { type: "boolean", default: false },
        rounds: { type: "string" },
        only: { type: "string" },
        report: { type: "string" },
        json: { type: "string" },
        before: { type: "string" },
        wishes: { type: "string" },
      },
    }).values,
  usage,
)

const chosen = choose(options.only?.split(","))
const before = options.before === undefined ? undefined : (JSON.parse(readFileSync(options.before, "utf8")) as Run)

const on = machine("node")
console.log(on)
const outcomes: Outcome[] = []
for (const scenario of chosen) {
  const outcome = await perform(scenario)
  outcomes.push(outcome)
  print(outcome)
  keep({ at: new Date().toISOString(), machine: on, isQuick: options.quick, outcomes })
}

/** After each scenario: a run that is broken off has left what it had. */
function keep(run: Run): void {
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(run)}\n`)
  if (options.report !== undefined) writeFileSync(options.report, reportPage(run, before))
}

function choose(names: readonly string[] | undefined): readonly Scenario[] {
  const unknown = names?.filter((name) => !scenarios.some((scenario) => scenario.name === name)) ?? []
  if (unknown.length > 0) {
    console.error(`there is no scenario ${unknown.join(", ")}: ${scenarios.map(({ name }) => name).join(", ")}`)
    process.exit(2)
  }
  return scenarios.filter(({ name }) => names === undefined || names.includes(name))
}

async function perform({ name, title, run }: Scenario): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "conclave-bench-"))
  const [started, loadBefore] = [performance.now(), load()]
  const progress: Setting["progress"] = (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text === "" ? "" : `${name}: ${text}`}`)
  }
  try {
    const rounds = Number(options.rounds ?? (options.quick ? 1 : 3))
    const wishes = options.wishes === undefined ? undefined : Number(options.wishes)
    const found = await run({ isQuick: options.quick, rounds, wishes, folder, progress })
    const seconds = (performance.now() - started) / 1000
    const during: Outcome["load"] = [loadBefore, load()]
    const { notes = [] } = found
    return {
      name,
      title,
      latencies: [],
      series: [],
      ...found,
      notes: [...notes, ...busy(during)],
      seconds,
      load: during,
    }
  } catch (error) {
    // What the others found is worth having.
    process.exitCode = 1
    console.error(error)
    const seconds = (performance.now() - started) / 1000
    const failed = { measurements: [], latencies: [], series: [], notes: [`It failed: ${(error as Error).message}`] }
    return { name, title, ...failed, seconds, load: [loadBefore, load()] }
  } finally {
    progress("")
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What runs here adds about three to the load. */
function busy([before]: Outcome["load"]): string[] {
  const cores = cpus().length
  if (before < cores + 3) return []
  const words = `The machine was busy with something else as well (load ${before.toFixed(0)} before, ${cores} cores)`
  return [`${words}: ratios and CPU hold, and latencies and rates by themselves say more of the machine.`]
}

function print({ name, title, measurements, latencies, notes, seconds, load: [first, last] }: Outcome): void {
  console.log(`\n${title}\n(${name}; ${seconds.toFixed(0)} s; load ${first.toFixed(1)} to ${last.toFixed(1)})\n`)
  console.log(table([["", "measured", "rounds", "beside", "", "ratio", "goal", ""], ...measurements.map(row)]))
  if (latencies.length > 0) {
    const rows = latencies.map(({ what, count, p50, p99, max }) => [what, `${count}`, ...[p50, p99, max].map(figure)])
    console.log(`\n${table([["milliseconds", "count", "p50", "p99", "max"], ...rows])}`)
  }
  for (const note of notes) console.log(`\n${note}`)
}

function row(measurement: Measurement): string[] {
  const { what, value, unit, spread, beside, ratio, goal } = measurement
  const met = isMet(measurement)
  return [
    what,
    withUnit(value, unit),
    spread === undefined ? "" : `${figure(spread[0])} to ${figure(spread[1])}`,
    beside === undefined ? "" : beside.what,
    beside === undefined ? "" : withUnit(beside.value, unit),
    ratio === undefined ? "" : ratio.toFixed(2),
    goal === undefined ? "" : goalText(goal),
    met === undefined ? "" : met ? "met" : "missed",
  ]
}
