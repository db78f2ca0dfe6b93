/** `npm run test:timing [-- --times 20]`: every experiment with so many times the measurements of the quick run. */
import { availableParallelism, loadavg } from "node:os"
import { parseArgs } from "node:util"
import { scalarExperiments, tagExperiments } from "./experiments.js"
import { measure, tMax } from "./welch.js"

const { values } = parseArgs({ options: { times: { type: "string", default: "20" } } })
const times = Number(values.times)

console.log(`Node ${process.version}, load ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} processors`)
console.log("t below 4.5: no difference seen; above 10: there is one. Medians of the two classes in nanoseconds.\n")
const tags = tagExperiments()
let failures = 0
for (const experiment of [...tags, ...scalarExperiments()]) {
  const { t, medians, measurements } = measure(experiment, experiment.measurements * times)
  const seen = t > tMax ? "told apart" : t > 4.5 ? "perhaps" : "not told apart"
  const [a, b] = medians.map((it) => it.toFixed(0))
  console.log(`${t.toFixed(1).padStart(8)}  ${seen.padEnd(15)} ${experiment.name} (${a} and ${b}, of ${measurements})`)
  // Of multiplications in JavaScript nothing is promised: they are shown.
  const isPromised = tags.includes(experiment) || experiment.leaks
  if (isPromised && experiment.leaks !== t > tMax) failures++
}
console.log(`\n${failures === 0 ? "As it has to be." : `${failures} not as they have to be.`}`)
process.exitCode = failures === 0 ? 0 : 1
