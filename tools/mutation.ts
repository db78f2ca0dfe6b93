import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { type Coverage, CoverageCache, executes, measure } from "./coverage.js"
import { type Explanation, explains, readExplanations } from "./explanations.js"
import { applied } from "./mutants.js"
import {
  compiledOf,
  type PlacedMutant,
  placedMutants,
  type Selection,
  selectedSources,
  testsFor,
} from "./mutation-scope.js"
import { createWorkplace, removeFolder, runTest, shareOut } from "./workplace.js"

export interface MutationOptions extends Selection {
  /** The repository. Its code is compiled. */
  readonly root: string
  /** For one test file. What takes more than half of it before anything is taken out is not used. */
  readonly secondsMax: number
  /** Parts of the paths of the tests that run; all when there are none. */
  readonly tests: readonly string[]
  /** Mutants that are known to be killed, and are not tried. */
  readonly known: readonly Explanation[]
  /** Whether the tests of the page run as well. */
  readonly browser: boolean
  /** A list of {@link Explanation}s; it may be absent. */
  readonly explanations: string
  /** Keeps coverage between runs. */
  readonly cache: string
  readonly print: (line: string) => void
}

export interface Outcome {
  readonly mutant: PlacedMutant
  readonly killed: boolean
  /** Tests that execute the refusal, the fastest first. */
  readonly tests: readonly string[]
  readonly killer?: Killer
  readonly explanation?: Explanation
}

interface Killer {
  readonly test: string
  /** Which test failed in it; empty if the file failed by itself. */
  readonly failure: string
  readonly timedOut: boolean
}

export interface MutationReport {
  readonly outcomes: readonly Outcome[]
  /** Explanations that explain nothing: their mutant is killed or does not exist. */
  readonly stale: readonly Explanation[]
  /** Sources that are not compiled into a file of their own. */
  readonly notCompiled: readonly string[]
  /** Test files that fail or take too long before anything is taken out. */
  readonly unusedTests: readonly string[]
}

export interface Sites {
  readonly mutants: readonly PlacedMutant[]
  readonly sources: readonly string[]
  readonly notCompiled: readonly string[]
}

/** The mutants of the selected sources. */
export function findSites({ root, names, since }: Pick<MutationOptions, "root" | "names" | "since">): Sites {
  const sources = selectedSources(root, { names, since })
  const compiled = sources.map((file) => ({ file, compiled: compiledOf(root, file) }))
  return {
    sources,
    mutants: compiled.flatMap((it) => (it.compiled === undefined ? [] : placedMutants(root, it.file, it.compiled))),
    notCompiled: compiled.filter((it) => it.compiled === undefined).map(({ file }) => file),
  }
}

/** Takes every refusal of the selected sources out of a copy, one at a time, and runs the tests that execute it. */
export async function mutate(options: MutationOptions): Promise<MutationReport> {
  const explanations = readExplanations(options.explanations)
  const { mutants, sources, notCompiled } = findSites(options)
  const places = Array.from({ length: Math.min(2, availableParallelism()) }, () => createWorkplace(options.root))
  try {
    const tests = testsFor(options.root, sources, options.browser).filter((test) => isWanted(test, options.tests))
    const { coverage, unusedTests } = await learnCoverage(options, places, tests)
    const untried = mutants.filter((mutant) => !options.known.some((it) => explains(it, mutant)))
    const outcomes = await tryAll(options, { places, mutants: untried, coverage, explanations })
    const stale = explanations.filter((it) => isStale(it, options.root, { sources, outcomes }))
    return { outcomes, stale, notCompiled, unusedTests }
  } finally {
    for (const place of places) removeFolder(place)
  }
}

function isWanted(test: string, parts: readonly string[]): boolean {
  return parts.length === 0 || parts.some((part) => test.includes(part))
}

type CoverageByTest = ReadonlyMap<string, Coverage>

async function learnCoverage({ root, cache, secondsMax, print }: MutationOptions, places: string[], tests: string[]) {
  const known = new CoverageCache(cache)
  const coverage = new Map<string, Coverage>()
  const unusedTests: string[] = []
  for (const test of tests) {
    const found = known.find(root, test)
    if (found) coverage.set(test, found)
  }
  const unknown = tests.filter((test) => !coverage.has(test))
  print(`${tests.length} test files; ${unknown.length} of them are run for their coverage`)
  await shareOut(places, unknown, async (place, test) => {
    const measured = await measure(place, test, secondsMax / 2)
    if (typeof measured === "string") {
      unusedTests.push(test)
      print(`not used: ${test}: ${measured}, before anything is taken out`)
      return
    }
    known.store(root, test, measured)
    coverage.set(test, measured)
  })
  return { coverage, unusedTests: unusedTests.sort() }
}

interface Trial {
  readonly places: readonly string[]
  readonly mutants: readonly PlacedMutant[]
  readonly coverage: CoverageByTest
  readonly explanations: readonly Explanation[]
}

async function tryAll(
  options: MutationOptions,
  { places, mutants, coverage, explanations }: Trial,
): Promise<Outcome[]> {
  const outcomes = new Map<PlacedMutant, Outcome>()
  const progress = progressOf(options.print, mutants.length)
  await shareOut(places, mutants, async (place, mutant) => {
    const tests = testsOf(coverage, mutant)
    const killer = await findKiller(options, { place, mutant, tests, coverage })
    const explanation = killer ? undefined : explanations.find((it) => explains(it, mutant))
    outcomes.set(mutant, {
      mutant,
      killed: killer !== undefined,
      tests,
      ...(killer && { killer }),
      ...(explanation && { explanation }),
    })
    if (!killer && !explanation) options.print(survivorText(mutant, tests.length))
    progress(killer === undefined && explanation === undefined)
  })
  return mutants.map((mutant) => outcomes.get(mutant)!)
}

function testsOf(coverage: CoverageByTest, { compiled, reach }: PlacedMutant): string[] {
  return [...coverage]
    .filter(([, covered]) => executes(covered, compiled, reach))
    .sort(([, a], [, b]) => a.seconds - b.seconds)
    .map(([test]) => test)
}

interface Attempt {
  readonly place: string
  readonly mutant: PlacedMutant
  readonly tests: readonly string[]
  readonly coverage: CoverageByTest
}

async function findKiller(
  { root, secondsMax }: MutationOptions,
  { place, mutant, tests, coverage }: Attempt,
): Promise<Killer | undefined> {
  if (tests.length === 0) return undefined
  const path = join(place, mutant.compiled)
  const original = readFileSync(join(root, mutant.compiled), "utf8")
  writeFileSync(path, applied(original, mutant))
  try {
    for (const test of tests) {
      // A mutant that runs in circles need not do so for long.
      const limitSeconds = Math.min(secondsMax, 10 + 5 * coverage.get(test)!.seconds)
      const { passed, failure, timedOut } = await runTest(place, { test, limitSeconds })
      if (passed) continue
      if (!timedOut) return { test, failure, timedOut }
      // Other work on this machine may have taken the time.
      writeFileSync(path, original)
      const control = await runTest(place, { test, limitSeconds })
      if (control.passed) return { test, failure, timedOut }
      writeFileSync(path, applied(original, mutant))
    }
    return undefined
  } finally {
    writeFileSync(path, original)
  }
}

/** What it explains is killed, or is not there any more; nothing is said of files that were not looked at. */
function isStale(
  explanation: Explanation,
  root: string,
  { sources, outcomes }: { sources: readonly string[]; outcomes: readonly Outcome[] },
): boolean {
  if (!sources.includes(explanation.file)) return compiledOf(root, explanation.file) === undefined
  return !outcomes.some((it) => !it.killed && explains(explanation, it.mutant))
}

export function survivorText({ file, line, text, kind, part, by }: PlacedMutant, tests: number): string {
  const change = by === "nothing" ? "taken out" : `taken for ${by}`
  const files = tests === 1 ? "1 test file executes it" : `${tests} test files execute it`
  const note = tests === 0 ? "no test executes it" : files
  return `survives: ${file}:${line} ${text}\n          ${kind}: ${shortened(part)} ${change} (${note})`
}

function shortened(text: string): string {
  return text.length > 120 ? `${text.slice(0, 119)}…` : text
}

/** Prints now and then how far it is. */
function progressOf(print: MutationOptions["print"], total: number): (survived: boolean) => void {
  const intervalMilliseconds = 30_000
  const started = performance.now()
  let [done, survived, printed] = [0, 0, started]
  return (survives) => {
    done++
    if (survives) survived++
    if (performance.now() - printed < intervalMilliseconds) return
    printed = performance.now()
    print(`${done}/${total} tried in ${Math.round((printed - started) / 1000)} s, ${survived} survive`)
  }
}
