/**
 * Asks every provider the same and compares the answers: `npm run fuzz:providers -- [--minutes 1] [--seed S] [--only TARGET]`.
 * A disagreement is printed with its seed and round, which `--seed S --round N` repeats, and ends with 1.
 */
import { parseArgs } from "node:util"
import { nodeProvider } from "../../src/node/provider.js"
import { providers } from "../support.js"
import { contest } from "./contest.js"
import { targets } from "./targets.js"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now()) },
    round: { type: "string" },
    only: { type: "string" },
  },
})
const names = Object.keys(targets).filter((name) => values.only === undefined || name === values.only)
if (names.length === 0) {
  console.error(`There is no target ${values.only}: ${Object.keys(targets).join(", ")}`)
  process.exit(2)
}
const counts = new Map(names.map((name) => [name, { cases: 0, answers: new Set<string>() }]))
const until = performance.now() + Number(values.minutes) * 60_000
console.log(`Seed ${values.seed}; ${providers.map(({ name }) => name).join(", ")}`)
const { fallback } = nodeProvider()
if (fallback !== undefined) console.log(`Without @conclave/native: ${fallback}`)

if (values.round !== undefined) runRound(Number(values.round))
else for (let round = 0; performance.now() < until; round++) runRound(round)

let total = 0
for (const [name, { cases, answers }] of counts) {
  total += cases
  console.log(`${name}: ${cases} cases, answers of ${answers.size} kinds (${[...answers].sort().join(", ")})`)
}
console.log(`${total} cases, no disagreement`)

function runRound(round: number): void {
  const name = names[round % names.length]!
  const { kind, disagreement } = contest(providers, { target: name, seed: `${values.seed} ${round}` })
  const count = counts.get(name)!
  count.cases++
  count.answers.add(kind)
  if (disagreement === undefined) return
  const only = values.only === undefined ? "" : ` --only ${values.only}`
  console.error(`DISAGREEMENT: ${name}, --seed ${values.seed} --round ${round}${only}\n${disagreement}`)
  process.exit(1)
}
