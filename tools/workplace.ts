import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { workspaces } from "./repository.js"

const reporter = new URL("./first-failure.js", import.meta.url).href

/** Folders and processes that must be gone when this process ends, however it ends. */
const folders = new Set<string>()
const groups = new Set<number>()

process.once("exit", () => {
  for (const pid of groups) endGroup(pid)
  for (const folder of folders) remove(folder)
})

/** Lets an interrupt end this process in a way that still removes what it has made. */
export function endOnSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130))
}

/**
 * A copy of the repository at `root` whose compiled code can be changed: what is compiled is copied, everything else
 * is linked. The workspaces find each other's copies.
 */
export function createWorkplace(root: string): string {
  const place = mkdtempSync(join(tmpdir(), "conclave-mutate-"))
  folders.add(place)
  const all = workspaces(root)
  const parents = new Set(all.map(({ folder }) => dirname(folder)))
  linkAll(root, place, [".git", "node_modules", ...all.map(({ folder }) => folder.split("/")[0]!)])
  for (const parent of parents) mkdirSync(join(place, parent), { recursive: true })
  for (const { folder } of all) {
    const [from, to] = [join(root, folder), join(place, folder)]
    mkdirSync(to)
    linkAll(from, to, ["dist", "test"])
    if (existsSync(join(from, "dist"))) {
      // What is changed in a module would not be in a bundle.
      const filter = (file: string) => file !== join(from, "dist/bundle")
      cpSync(join(from, "dist"), join(to, "dist"), { recursive: true, filter })
    }
    // The tests of the page are compiled beside their sources.
    if (existsSync(join(from, "test/dist"))) cpSync(join(from, "test"), join(to, "test"), { recursive: true })
    else if (existsSync(join(from, "test"))) symlinkSync(join(from, "test"), join(to, "test"))
  }
  linkModules(join(root, "node_modules"), join(place, "node_modules"))
  for (const { folder, manifest } of all) {
    const link = join(place, "node_modules", manifest.name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(place, folder), link)
  }
  return place
}

export function removeFolder(folder: string): void {
  remove(folder)
  folders.delete(folder)
}

function linkAll(from: string, to: string, without: readonly string[]): void {
  for (const entry of readdirSync(from)) if (!without.includes(entry)) symlinkSync(join(from, entry), join(to, entry))
}

/** Links to what is installed, but for the scopes of the workspaces: these are filled with the copies. */
function linkModules(from: string, to: string): void {
  mkdirSync(to)
  if (!existsSync(from)) return
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const own = entry.isSymbolicLink() || (entry.name.startsWith("@") && holdsLinks(join(from, entry.name)))
    if (!own) symlinkSync(join(from, entry.name), join(to, entry.name))
  }
}

function holdsLinks(scope: string): boolean {
  return readdirSync(scope, { withFileTypes: true }).some((entry) => entry.isSymbolicLink())
}

export interface TestRun {
  /** From the workplace: `packages/auth/dist/test/service.test.js`. */
  readonly test: string
  readonly limitSeconds: number
  /** Options of Node before the file. */
  readonly options?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export interface TestResult {
  readonly passed: boolean
  readonly timedOut: boolean
  readonly seconds: number
  /** The name of the first test that failed; empty if the file failed by itself. */
  readonly failure: string
}

/**
 * Runs one test file in a workplace, up to the first failure. Its temporary files and the processes that it leaves
 * are removed. Where `limitSeconds` have passed it is killed, and has failed.
 */
export async function runTest(
  place: string,
  { test, limitSeconds, options = [], environment }: TestRun,
): Promise<TestResult> {
  // Not in the workplace: what is copied there must not find the modules of the repository.
  const temporary = mkdtempSync(join(tmpdir(), "conclave-mutate-"))
  folders.add(temporary)
  const started = performance.now()
  const child = spawn(process.execPath, [...options, `--test-reporter=${reporter}`, join(place, test)], {
    cwd: place,
    // A group of its own, to be ended as a whole.
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...withoutTestContext(process.env), TMPDIR: temporary, ...environment },
  })
  if (child.pid !== undefined) groups.add(child.pid)
  let output = ""
  let timedOut = false
  child.stdout.on("data", (text: Buffer) => {
    output = (output + text).slice(-1_000)
  })
  const ended = new AbortController()
  const limit = setTimeout(limitSeconds * 1_000, undefined, { signal: ended.signal }).then(
    () => {
      timedOut = true
      if (child.pid !== undefined) endGroup(child.pid)
    },
    () => {},
  )
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject)
      child.once("exit", resolve)
    })
    const seconds = (performance.now() - started) / 1_000
    const passed = code === 0 && !timedOut
    return { passed, timedOut, seconds, failure: passed ? "" : (output.split("\n").at(-1) ?? "").trim() }
  } finally {
    ended.abort()
    await limit
    child.stdout.destroy()
    if (child.pid !== undefined) {
      await endWholeGroup(child.pid)
      groups.delete(child.pid)
    }
    removeFolder(temporary)
  }
}

/** Under `node --test` this says that a process reports to its parent: the tests run here have no such parent. */
function withoutTestContext({ NODE_TEST_CONTEXT: _, NODE_V8_COVERAGE: __, ...environment }: NodeJS.ProcessEnv) {
  return environment
}

/** Whether there was anything to end. */
function endGroup(pid: number): boolean {
  try {
    return process.kill(-pid, "SIGKILL")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false
    throw error
  }
}

/** Waits until the processes are gone, so that they write no more files. */
async function endWholeGroup(pid: number): Promise<void> {
  for (let attempts = 0; endGroup(pid) && attempts < 50; attempts++) await setTimeout(10)
}

/** Removes a folder to which a dying process may still write. */
function remove(folder: string): void {
  for (let attempts = 1; existsSync(folder); attempts++) {
    try {
      rmSync(folder, { recursive: true, force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY" || attempts === 100) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}

/** Options that load a module into a process and into those that it starts. */
export function preload(module: string): Record<string, string> {
  const { NODE_OPTIONS = "" } = process.env
  return { NODE_OPTIONS: `${NODE_OPTIONS} --import=${new URL(module, import.meta.url).href}`.trim() }
}

/** Calls `work` with everything in a list, in every workplace one at a time. After a failure nothing more is begun. */
export async function shareOut<T>(
  places: readonly string[],
  queue: readonly T[],
  work: (place: string, item: T) => Promise<void>,
): Promise<void> {
  const items = [...queue]
  const ends = await Promise.allSettled(
    places.map(async (place) => {
      try {
        while (items.length > 0) await work(place, items.shift()!)
      } finally {
        items.length = 0
      }
    }),
  )
  const failed = ends.find((it) => it.status === "rejected")
  if (failed) throw failed.reason
}
