/**
 * Takes each check of RFC 9420 out of the compiled `@conclave/mls`, one at a time, and expects its tests to fail:
 * `node tools/dist/mutate-rules.js [rule or part of a file's path…]`. Prints the checks that nobody misses.
 */
import { spawn } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "./repository.js"
import { type RuleSite, ruleSites } from "./rule-sites.js"

interface Mutant extends RuleSite {
  /** From `dist/src`. */
  readonly file: string
}

const folder = join(root, "packages/mls")
/** Without a check a test may run in circles. */
const secondsMax = 60
const layers = ["framing", "group", "schedule", "tree"]

const wanted = process.argv.slice(2)
const tests = readTests()
const all = mutants().filter(isWanted)
if (tests.size === 0 || all.length === 0) {
  console.error("There is nothing to mutate: run `npm run build:code` first.")
  process.exit(1)
}

const workplaces = Array.from({ length: Math.min(2, availableParallelism()) }, workplace)
const started = Date.now()
try {
  if (!(await passes(workplaces[0]!, undefined))) throw new Error("the tests fail before anything is taken out")
  const survivors = await mutate()
  const rules = all.filter(({ ids }) => ids.length > 0).length
  const seconds = Math.round((Date.now() - started) / 1000)
  console.log(`${rules} rules and ${all.length - rules} other refusals and calls were taken out, in ${seconds} s`)
  console.log(`killed ${all.length - survivors}/${all.length}`)
  process.exitCode = survivors === 0 ? 0 : 1
} finally {
  for (const place of workplaces) rmSync(place, { recursive: true, force: true })
}

/** Tries all mutants, as many at a time as there are workplaces; returns how many survive. */
async function mutate(): Promise<number> {
  const queue = [...all]
  let survivors = 0
  await Promise.all(
    workplaces.map(async (place) => {
      for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
        if (!(await passes(place, mutant))) continue
        survivors++
        console.log(`survives: ${mutant.file}:${mutant.line} ${mutant.text}`)
      }
    }),
  )
  return survivors
}

function readTests(): Map<string, string> {
  const compiled = join(folder, "dist/test")
  const names = readdirSync(compiled).filter((file) =>
    /^(rules-(?!table)|secret-tree|group-flows|last-epoch).*\.test\.js$/.test(file),
  )
  return new Map(names.map((file) => [file, readFileSync(join(compiled, file), "utf8")]))
}

function mutants(): Mutant[] {
  const source = join(folder, "dist/src")
  return layers.flatMap((layer) =>
    readdirSync(join(source, layer))
      .filter((file) => file.endsWith(".js"))
      .map((file) => `${layer}/${file}`)
      .flatMap((file) => ruleSites(readFileSync(join(source, file), "utf8")).map((it) => ({ ...it, file }))),
  )
}

function isWanted({ ids, file }: Mutant): boolean {
  return wanted.length === 0 || wanted.some((name) => ids.includes(name) || file.includes(name))
}

/** A copy of the compiled package that finds everything else where the original does. */
function workplace(): string {
  const place = mkdtempSync(join(tmpdir(), "conclave-rules-"))
  mkdirSync(join(place, "dist"))
  cpSync(join(folder, "package.json"), join(place, "package.json"))
  for (const part of ["src", "test"]) cpSync(join(folder, "dist", part), join(place, "dist", part), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"))
  return place
}

/** Runs tests on a copy with one check less: those of the rule, or all where no rule is named. */
async function passes(place: string, mutant: Mutant | undefined): Promise<boolean> {
  const { ids } = mutant ?? { ids: [] }
  const path = mutant && join(place, "dist/src", mutant.file)
  const original = path && readFileSync(path, "utf8")
  if (path) writeFileSync(path, mutant.removed)
  try {
    const pattern = ids.length > 0 ? [`--test-name-pattern=^(${ids.join("|")}): `] : []
    for (const [file, source] of tests) {
      if (ids.length > 0 && !ids.some((id) => source.includes(id))) continue
      if (!(await run([...pattern, join(place, "dist/test", file)]))) return false
    }
    return true
  } finally {
    if (path) writeFileSync(path, original!)
  }
}

/** Whether a test file passes, in time. */
function run(options: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, options, { stdio: "ignore" })
    const timer = setTimeout(() => child.kill("SIGKILL"), secondsMax * 1000)
    child.on("close", (code) => {
      clearTimeout(timer)
      resolve(code === 0)
    })
  })
}
