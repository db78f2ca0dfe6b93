/** `npm run lab -- <experiment> [options]` */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { noPostgres } from "@conclave/testing/servers"
import { costTable, measureCost } from "./cost.js"
import { demoTable, measureDemo, missingProgram } from "./demo.js"
import { floodTable, measureFlood } from "./flood.js"
import { gatewaysTable, measureGateways } from "./gateways.js"
import { endAtSignals } from "./interruption.js"
import { missingPrivileges } from "./laboratory.js"
import { latencyTable, measureLatencyOften } from "./latency.js"
import { latencyChart } from "./latency-chart.js"
import { measureMiddleboxes, middleboxTable } from "./middleboxes.js"
import { measureRegister, registerTable } from "./register-cost.js"
import { measureReplays, replayTable } from "./replays.js"
import { measureShares, sharesTable } from "./shares.js"
import { measureTracking, measureWays, trackingTable, waysTable } from "./tracking.js"
import { trackingChart } from "./tracking-chart.js"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: "string" },
    rtt: { type: "string" },
    runs: { type: "string", default: "1" },
    seconds: { type: "string", default: "30" },
    lines: { type: "string", default: "2000" },
    rate: { type: "string", default: "3000" },
    chart: { type: "string" },
    json: { type: "boolean", default: false },
  },
})

const experiments: Record<string, () => Promise<void>> = {
  async latency() {
    const roundTrips = (values.rtt ?? "20,50,150").split(",").map(Number)
    const runs = Number(values.runs)
    const rows = await measureLatencyOften(runs, { roundTrips, samples: Number(values.samples ?? 30) })
    if (runs > 1 && !values.json) console.log(`The best of ${runs} runs:`)
    print(rows, latencyTable)
    if (values.chart !== undefined) writeFileSync(values.chart, latencyChart(rows))
  },
  async cost() {
    print(await measureCost(), costTable)
  },
  async demo() {
    const lacking = missingProgram()
    if (lacking !== undefined) throw new Error(lacking)
    const roundTripMilliseconds = Number((values.rtt ?? "150").split(",")[0])
    print(await measureDemo({ roundTripMilliseconds, samples: Number(values.samples ?? 10) }), demoTable)
  },
  async flood() {
    print(await measureFlood({ perSecond: Number(values.rate), seconds: Number(values.seconds) }), floodTable)
  },
  async shares() {
    print(await measureShares({ seconds: Number(values.seconds), lines: Number(values.lines) }), sharesTable)
  },
  async replay() {
    print(await measureReplays(1000), replayTable)
  },
  async gateways() {
    if (noPostgres !== undefined) throw new Error(noPostgres)
    print(await measureGateways({ times: 1000 }), gatewaysTable)
  },
  async register() {
    if (noPostgres !== undefined) throw new Error(noPostgres)
    print(await measureRegister(Number(values.seconds)), registerTable)
  },
  async tracking() {
    const sightings = await measureTracking()
    print(sightings, trackingTable)
    if (values.chart !== undefined) writeFileSync(values.chart, trackingChart(sightings))
  },
  async ways() {
    const roundTripMilliseconds = Number((values.rtt ?? "50").split(",")[0])
    print(await measureWays(roundTripMilliseconds), (rows) => waysTable(rows, roundTripMilliseconds))
  },
  async middleboxes() {
    const roundTripMilliseconds = Number((values.rtt ?? "20").split(",")[0])
    const rows = await measureMiddleboxes({ roundTripMilliseconds, requests: Number(values.samples ?? 30) })
    print(rows, middleboxTable)
  },
}

function print<Report>(report: Report, table: (report: Report) => string): void {
  console.log(values.json ? JSON.stringify(report, null, 2) : table(report))
}

/** Those that need no network of their own. */
const unprivileged = ["shares", "cost", "register"]
const missing = unprivileged.includes(positionals[0] ?? "") ? undefined : missingPrivileges()
const experiment = experiments[positionals[0] ?? ""]
if (experiment === undefined) {
  console.error(
    `usage: npm run lab -- ${Object.keys(experiments).join(" | ")} [--samples N] [--rtt 20,50,150] [--runs 1] [--json] [--chart FILE.svg] [--seconds 30] [--rate 3000] [--lines 2000]`,
  )
  process.exitCode = 2
} else if (missing !== undefined) {
  console.error(missing)
  process.exitCode = 1
} else {
  endAtSignals()
  await experiment()
}
