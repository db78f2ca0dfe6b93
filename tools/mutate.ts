/**
 * Takes every refusal out of a copy of the compiled packages, one at a time, and expects a test to fail:
 * `npm run mutate -- [package or part of a path…] [--since COMMIT] [--list] [--tests PART]… [--seconds-max N] [--browser]
 * [--json FILE] [--again FILE]`.
 *
 * Without names it looks at every file under `packages/<name>/src`; with `--since` only at those that have changed since
 * that commit. `mutants.ts` says which pieces of code count. Only tests that execute a refusal run for it, the fastest
 * first, each for at most `--seconds-max` seconds. `--list` prints the mutants and tries none. The page is tested as it
 * was bundled: with `--browser` its tests see mutants of the services, and none of the SDK in the page.
 *
 * `--tests` narrows the tests to those with PART in their path. `--json` writes the report to a file; `--again` reads such
 * a file and tries only what was not killed then, for work on survivors.
 *
 * What cannot be noticed is explained in `mutants-explained.json`. Exit code 1: something survives without an
 * explanation, or an explanation is stale. Exit code 2: the arguments are wrong.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type Explanation, unexplained } from "./explanations.js"
import { findSites, type MutationReport, mutate, type Sites } from "./mutation.js"
import { root } from "./repository.js"
import { endOnSignals } from "./workplace.js"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    since: { type: "string" },
    list: { type: "boolean", default: false },
    "seconds-max": { type: "string", default: "60" },
    browser: { type: "boolean", default: false },
    tests: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
    again: { type: "string" },
  },
})
const secondsMax = Number(values["seconds-max"])
if (!(secondsMax > 0)) fail("--seconds-max: it is a number above 0")

const selection = { root, names: positionals, since: values.since }
const { mutants, notCompiled } = sites()
for (const file of notCompiled) console.log(`left out: ${file} is not compiled into a file of its own`)
if (mutants.length === 0) {
  console.log("There is no refusal to take out.")
} else if (values.list) {
  for (const { file, line, kind, part, by } of mutants) console.log(`${file}:${line} ${kind}: ${part} → ${by}`)
  console.log(`${mutants.length} mutants`)
} else {
  endOnSignals()
  const started = performance.now()
  const report = await mutate({
    ...selection,
    secondsMax,
    browser: values.browser,
    tests: values.tests,
    known: values.again === undefined ? [] : killedIn(values.again),
    explanations: join(root, "tools/mutants-explained.json"),
    cache: join(tmpdir(), `conclave-mutate-coverage-${userInfo().uid}`),
    print: console.log,
  })
  const seconds = Math.round((performance.now() - started) / 1000)
  process.exitCode = summarise(report, seconds)
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify(jsonOf(report, seconds), undefined, 2)}\n`)
}

function sites(): Sites {
  try {
    return findSites(selection)
  } catch (error) {
    return fail((error as Error).message)
  }
}

function fail(reason: string): never {
  console.error(reason)
  process.exit(2)
}

/** What an earlier report says is killed. */
function killedIn(path: string): Explanation[] {
  const report: { mutants: (Explanation & { killed: boolean })[] } = JSON.parse(readFileSync(path, "utf8"))
  const killed = report.mutants.filter((it) => it.killed)
  console.log(`at most ${killed.length} mutants are not tried: they were killed before`)
  return killed
}

/** Prints the figures; returns the exit code. */
function summarise({ outcomes, stale }: MutationReport, seconds: number): number {
  for (const it of stale)
    console.log(`stale explanation: ${it.file} ${it.within}: ${it.refusal} (${it.part} → ${it.by})`)
  const killed = outcomes.filter((it) => it.killed)
  const explained = outcomes.filter((it) => it.explanation)
  const survived = outcomes.length - killed.length - explained.length
  const unreached = outcomes.filter((it) => !it.killed && !it.explanation && it.tests.length === 0).length
  const timedOut = killed.filter((it) => it.killer?.timedOut).length
  console.log(`in ${seconds} s; ${timedOut} killed by the time limit; no test executes ${unreached} of the survivors`)
  console.log(`killed ${killed.length}/${outcomes.length}, explained ${explained.length}, survived ${survived}`)
  return survived === 0 && stale.length === 0 ? 0 : 1
}

function jsonOf({ outcomes, stale, notCompiled, unusedTests }: MutationReport, seconds: number): unknown {
  return {
    seconds,
    total: outcomes.length,
    killed: outcomes.filter((it) => it.killed).length,
    explained: outcomes.filter((it) => it.explanation).length,
    stale,
    notCompiled,
    unusedTests,
    mutants: outcomes.map(({ mutant, killed, killer, explanation, tests }) => ({
      ...unexplained(mutant),
      line: mutant.line,
      kind: mutant.kind,
      killed,
      killer,
      why: explanation?.why ?? "",
      tests,
    })),
  }
}
