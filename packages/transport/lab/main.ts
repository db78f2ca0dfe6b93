/** `npm run lab -- <experiment> [options]` */
import { parseArgs } from "node:util"
import { missingPrivileges } from "./laboratory.js"
import { latencyTable, measureLatency } from "./latency.js"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    samples: { type: "string", default: "30" },
    rtt: { type: "string", default: "20,50,150" },
    json: { type: "boolean", default: false },
  },
})

const experiments: Record<string, () => Promise<void>> = {
  async latency() {
    const rows = await measureLatency(values.rtt.split(",").map(Number), Number(values.samples))
    console.log(values.json ? JSON.stringify(rows, null, 2) : latencyTable(rows))
  },
}

const missing = missingPrivileges()
const experiment = experiments[positionals[0] ?? ""]
if (experiment === undefined) {
  console.error(
    `usage: npm run lab -- ${Object.keys(experiments).join(" | ")} [--samples 30] [--rtt 20,50,150] [--json]`,
  )
  process.exitCode = 2
} else if (missing !== undefined) {
  console.error(missing)
  process.exitCode = 1
} else {
  await experiment()
}
