/**
 * Runs the compiled tests: `node tools/dist/run-tests.js [name…] [-- option of node --test…]`. A name is a package
 * (`mls`), `tools`, or part of a test file's path; without one, everything runs.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { compiledTests, root, workspaces } from "./repository.js"
import { together } from "./together.js"

const separator = process.argv.indexOf("--", 2)
const names = process.argv.slice(2, separator < 0 ? undefined : separator)
const options = separator < 0 ? [] : process.argv.slice(separator + 1)

// One more than there are cores: many wait for a server, a disk or a timer.
const atOnce = availableParallelism() + 1
console.log(`Node ${process.version} (${process.platform} ${process.arch}), ${atOnce} at a time`)
const all = [...workspaces().map(({ folder }) => folder), "tools"].flatMap((folder) => compiledTests(folder))
for (const name of names) {
  if (!all.some((file) => isNamed(file, name))) fail(`No test belongs to "${name}".`)
}
const selected = names.length === 0 ? all : all.filter((file) => names.some((name) => isNamed(file, name)))
if (selected.length === 0) fail("There are no compiled tests: run `npm run build` first.")

const folder = mkdtempSync(join(tmpdir(), "conclave-tests-"))
// Where the first test that needs PostgreSQL leaves an empty cluster for the others to copy: packages/testing/src/servers.ts.
// A folder of its own, because it belongs to another user then.
const template = mkdtempSync(join(tmpdir(), "conclave-template-"))
const { status, signal } = spawnSync(
  process.execPath,
  [
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${atOnce}`,
    // A test that hangs is a failure, not a wait.
    "--test-timeout=180000",
    ...options,
    ...(names.length === 0 ? together(selected, folder) : selected),
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, CONCLAVE_POSTGRES_TEMPLATE: template } },
)
for (const path of [folder, template]) rmSync(path, { recursive: true, force: true })
if (signal !== null) fail(`The tests were ended by ${signal}.`)
process.exitCode = status ?? 1

function isNamed(file: string, name: string): boolean {
  return (
    file.split("/").includes(name) || (name.includes("/") && file.includes(name)) || file.endsWith(`/${name}.test.js`)
  )
}

function fail(reason: string): never {
  console.error(reason)
  process.exit(1)
}
