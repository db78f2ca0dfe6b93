import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { preload, runTest } from "./workplace.js"

/** What one test file executes. */
export interface Coverage {
  /** How long it took. */
  readonly seconds: number
  /** Compiled files that it loads, from the root. */
  readonly files: Readonly<Record<string, CoveredFile>>
}

interface CoveredFile {
  /** SHA-256 of the content, hexadecimal. */
  readonly hash: string
  /** Where nothing is executed: sorted, disjoint, in UTF-16 code units, without the end. */
  readonly missed: readonly Range[]
}
type Range = readonly [start: number, end: number]

/** Whether a test executes all of some offsets in a file. */
export function executes({ files }: Coverage, file: string, offsets: readonly number[]): boolean {
  const covered = files[file]
  if (!covered) return false
  return offsets.every((offset) => !covered.missed.some(([start, end]) => start <= offset && offset < end))
}

/**
 * Runs a test file with V8's block coverage; the processes that it starts count as well. Where the test
 * fails or does not end in time, the result is that in words.
 */
export async function measure(place: string, test: string, limitSeconds: number): Promise<Coverage | string> {
  const folder = join(place, "coverage")
  rmSync(folder, { recursive: true, force: true })
  const environment = { NODE_V8_COVERAGE: folder, ...preload("./snapshot-coverage.js") }
  const { passed, seconds, timedOut, failure } = await runTest(place, { test, limitSeconds, environment })
  if (timedOut) return `it takes longer than ${limitSeconds} s`
  if (!passed) return failure === "" ? "it fails" : `it fails: ${failure}`
  const prefix = `${pathToFileURL(place).href}/`
  const missed = new Map<string, Range[]>()
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    for (const { url, functions } of scriptsIn(join(folder, name))) {
      if (!url.startsWith(prefix) || url.includes("/node_modules/")) continue
      const file = decodeURIComponent(url.slice(prefix.length).replace(/[?#].*/, ""))
      // Code from a command line has a name in this folder, and is no file.
      if (!existsSync(join(place, file))) continue
      const ranges = missedRanges(functions, readFileSync(join(place, file), "utf8").length)
      const known = missed.get(file)
      missed.set(file, known ? intersection(known, ranges) : ranges)
    }
  }
  rmSync(folder, { recursive: true, force: true })
  const files = [...missed].map(
    ([file, ranges]) => [file, { hash: hashOf(join(place, file)), missed: ranges }] as const,
  )
  return { seconds, files: Object.fromEntries(files) }
}

/** Coverage of earlier runs, in a folder. An entry holds as long as no file has changed that the test has loaded. */
export class CoverageCache {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  find(root: string, test: string): Coverage | undefined {
    try {
      const found: Coverage = JSON.parse(readFileSync(this.#path(root, test), "utf8"))
      const isUnchanged = Object.entries(found.files).every(([file, { hash }]) => hashOf(join(root, file)) === hash)
      return isUnchanged ? found : undefined
    } catch {
      // Nothing was stored, or a file is not there any more.
      return undefined
    }
  }

  store(root: string, test: string, coverage: Coverage): void {
    writeFileSync(this.#path(root, test), JSON.stringify(coverage))
  }

  #path(root: string, test: string): string {
    const key = [process.version, test, hashOf(join(root, test))].join("\n")
    return join(this.#folder, `${createHash("sha256").update(key).digest("hex")}.json`)
  }
}

interface Script {
  readonly url: string
  readonly functions: readonly ScriptFunction[]
}
interface ScriptFunction {
  readonly ranges: readonly { readonly startOffset: number; readonly endOffset: number; readonly count: number }[]
}

function scriptsIn(path: string): readonly Script[] {
  try {
    return JSON.parse(readFileSync(path, "utf8")).result
  } catch {
    // The process was killed while it wrote.
    return []
  }
}

/** V8's ranges lie within each other: the innermost counts. */
export function missedRanges(functions: readonly ScriptFunction[], length: number): Range[] {
  const executed = new Uint8Array(length)
  const ranges = functions.flatMap((it) => it.ranges)
  const size = (it: (typeof ranges)[number]) => it.endOffset - it.startOffset
  for (const range of ranges.toSorted((a, b) => size(b) - size(a)))
    executed.fill(range.count > 0 ? 1 : 0, range.startOffset, range.endOffset)
  const missed: Range[] = []
  for (let start = executed.indexOf(0); start >= 0; ) {
    const end = executed.indexOf(1, start)
    missed.push([start, end < 0 ? length : end])
    start = end < 0 ? -1 : executed.indexOf(0, end)
  }
  return missed
}

function intersection(a: readonly Range[], b: readonly Range[]): Range[] {
  const both: Range[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [start, end] = [Math.max(a[i]![0], b[j]![0]), Math.min(a[i]![1], b[j]![1])]
    if (start < end) both.push([start, end])
    if (a[i]![1] < b[j]![1]) i++
    else j++
  }
  return both
}

function hashOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex")
}
