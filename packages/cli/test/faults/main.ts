/**
 * `npm run test:faults [-- --seconds N --seed N]`: gateways, PostgreSQL and clients under faults, half of the time with hints by
 * `nats-server` and half of it by NOTIFY. Needs PostgreSQL; network namespaces need Linux and root.
 */
import { parseArgs } from "node:util"
import { noNats, noPostgres } from "@conclave/testing/servers"
import { noNamespaces } from "./network.js"
import { inWords, trial } from "./trial.js"

const { values } = parseArgs({ options: { seconds: { type: "string" }, seed: { type: "string" } } })
const seconds = Number(values.seconds ?? 600)
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6))
if (noPostgres !== undefined) {
  console.error(noPostgres)
  process.exit(1)
}
// Whatever was started ends with the process.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))
const lacking = noNamespaces()
if (lacking !== undefined) console.log(`No gateway is cut off from the database: ${lacking}`)
if (noNats !== undefined) console.log(`Hints come by NOTIFY alone: ${noNats}`)
const kinds = noNats === undefined ? [true, false] : [false]
for (const withNats of kinds) {
  const begin = performance.now()
  const tell = (line: string) =>
    console.log(`${((performance.now() - begin) / 1_000).toFixed(1).padStart(7)} s  ${line}`)
  console.log(`seed ${seed}, ${seconds / kinds.length} s, hints by ${withNats ? "nats-server" : "NOTIFY"}`)
  const outcome = await trial({
    ...{ seed, seconds: seconds / kinds.length, clients: 20, people: 4 },
    ...{ withNats, withNamespaces: lacking === undefined, tell },
  })
  console.log(inWords(outcome))
  if (outcome.violations.length > 0 || outcome.disagreement !== undefined) process.exitCode = 1
}
