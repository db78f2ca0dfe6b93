/**
 * Takes each check of RFC 9420 out of the compiled `@conclave/mls`, one at a time, and expects its tests to fail:
 * `node tools/dist/mutate-rules.js [rule or part of a file's path…]`. Prints the checks that nobody misses. A rule must
 * be missed by a test that is named after it; `mutate.ts` is content with any test.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { applied } from "./mutants.js"
import { type PlacedMutant, placedMutants } from "./mutation-scope.js"
import { root } from "./repository.js"
import { createWorkplace, endOnSignals, removeFolder, runTest, shareOut } from "./workplace.js"

const folder = "packages/mls"
/** Without a check a test may run in circles. */
const limitSeconds = 60
const layers = ["framing", "group", "schedule", "tree"]

const wanted = process.argv.slice(2)
const tests = readTests()
const all = layers.flatMap(mutantsOfLayer).filter(isCheck).filter(isWanted)
if (tests.size === 0 || all.length === 0) {
  console.error("There is nothing to mutate: run `npm run build:code` first.")
  process.exit(1)
}

endOnSignals()
const started = Date.now()
const places = Array.from({ length: Math.min(2, availableParallelism()) }, () => createWorkplace(root))
try {
  if (!(await passes(places[0]!, []))) throw new Error("the tests fail before anything is taken out")
  const survivors = await mutate()
  const rules = all.filter(({ ids }) => ids.length > 0).length
  const seconds = Math.round((Date.now() - started) / 1000)
  console.log(`${rules} rules and ${all.length - rules} other refusals and calls were taken out, in ${seconds} s`)
  console.log(`killed ${all.length - survivors}/${all.length}`)
  process.exitCode = survivors === 0 ? 0 : 1
} finally {
  for (const place of places) removeFolder(place)
}

/** Tries all mutants, as many at a time as there are workplaces; returns how many survive. */
async function mutate(): Promise<number> {
  let survivors = 0
  await shareOut(places, all, async (place, mutant) => {
    const path = join(place, mutant.compiled)
    const original = readFileSync(path, "utf8")
    writeFileSync(path, applied(original, mutant))
    const survives = await passes(place, mutant.ids).finally(() => writeFileSync(path, original))
    if (!survives) return
    survivors++
    console.log(`survives: ${mutant.file}:${mutant.line} ${mutant.part}`)
  })
  return survivors
}

function readTests(): Map<string, string> {
  const compiled = join(folder, "dist/test")
  const names = readdirSync(join(root, compiled)).filter((file) =>
    /^(rules-(?!table)|secret-tree|group-flows|last-epoch).*\.test\.js$/.test(file),
  )
  return new Map(names.map((file) => [join(compiled, file), readFileSync(join(root, compiled, file), "utf8")]))
}

function mutantsOfLayer(layer: string): PlacedMutant[] {
  return readdirSync(join(root, folder, "src", layer))
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(layer, file))
    .flatMap((file) =>
      placedMutants(root, join(folder, "src", file), join(folder, "dist/src", file.replace(/\.ts$/, ".js"))),
    )
}

/** A call that only checks, or an error of the protocol that is thrown. */
function isCheck({ kind, refusal }: PlacedMutant): boolean {
  if (kind === "check") return true
  return (kind === "guard" || kind === "statement") && /\bthrow new (?:Authenticity|State|Decode)Error\(/.test(refusal)
}

function isWanted({ ids, file }: PlacedMutant): boolean {
  return wanted.length === 0 || wanted.some((name) => ids.includes(name) || file.includes(name))
}

/** Runs the tests of some rules, or all where no rule is named. */
async function passes(place: string, ids: readonly string[]): Promise<boolean> {
  const options = ids.length > 0 ? [`--test-name-pattern=^(${ids.join("|")}): `] : []
  for (const [test, source] of tests) {
    if (ids.length > 0 && !ids.some((id) => source.includes(id))) continue
    if (!(await runTest(place, { test, limitSeconds, options })).passed) return false
  }
  return true
}
