import { type Profiler, Session } from "node:inspector"

/**
 * Which blocks of the packages under test have run: V8's precise coverage, read in the process itself. Every block is a
 * feature, and so is every order of magnitude of the number of times that it ran (1, 2, 3, 4-7, 8-15, …).
 */
export class Coverage {
  readonly #session = new Session()
  readonly #wanted: RegExp
  readonly #ours = new Map<string, boolean>()
  /** By script, then by function, then by block: the orders of magnitude in which it was counted, a bit for each. */
  readonly #scripts = new Map<string, Map<number, Map<number, number>>>()
  #edges = 0

  /** Scripts whose URL matches are looked at, if they are loaded after this. */
  constructor(wanted: RegExp) {
    this.#wanted = wanted
    this.#session.connect()
    this.#post("Profiler.enable")
    this.#post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
  }

  /** Blocks that have run since the beginning. */
  get edges(): number {
    return this.#edges
  }

  /** Forgets what has run since the last call. */
  skip(): void {
    this.#post("Profiler.takePreciseCoverage")
  }

  /** Everything is new again. */
  forget(): void {
    this.#scripts.clear()
    this.#edges = 0
    this.skip()
  }

  /** Whether a block has run since the last call that never ran before. It stays new. */
  foundBlocks(): boolean {
    let found = false
    this.#visit((known, block) => {
      if ((known.get(block) ?? 0) === 0) found = true
    })
    return found
  }

  /** How many features have been seen since the last call that were never seen before. */
  take(): number {
    let found = 0
    this.#visit((known, block, count) => {
      const bit = 1 << (count <= 3 ? count - 1 : Math.min(16, 1 + Math.floor(Math.log2(count))))
      const before = known.get(block) ?? 0
      if ((before & bit) !== 0) return
      if (before === 0) this.#edges++
      known.set(block, before | bit)
      found++
    })
    return found
  }

  /** Every block that has run since the last time, and how often. */
  #visit(visit: (known: Map<number, number>, block: number, count: number) => void): void {
    const { result } = this.#post("Profiler.takePreciseCoverage") as Profiler.TakePreciseCoverageReturnType
    for (const { scriptId, url, functions } of result) {
      if (!this.#isOurs(scriptId, url)) continue
      for (const { ranges } of functions) {
        if (ranges[0]!.count === 0) continue
        const known = this.#blocksOf(scriptId, ranges[0]!)
        for (const range of ranges) if (!known.has(nameOf(range))) known.set(nameOf(range), 0)
        for (const block of known.keys()) {
          const count = countOf(block, ranges)
          if (count > 0) visit(known, block, count)
        }
      }
    }
  }

  #blocksOf(scriptId: string, range: Profiler.CoverageRange): Map<number, number> {
    const functions = this.#scripts.get(scriptId) ?? new Map<number, Map<number, number>>()
    this.#scripts.set(scriptId, functions)
    const blocks = functions.get(nameOf(range)) ?? new Map<number, number>()
    functions.set(nameOf(range), blocks)
    return blocks
  }

  #isOurs(scriptId: string, url: string): boolean {
    const known = this.#ours.get(scriptId)
    if (known !== undefined) return known
    const ours = this.#wanted.test(url)
    this.#ours.set(scriptId, ours)
    return ours
  }

  /** The session is in this very thread: it answers before it returns. */
  #post(method: string, parameters?: object): unknown {
    let answer: unknown
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw error
      answer = result
    })
    return answer
  }
}

/** Scripts are shorter than 2²⁴: the two offsets in one number. */
const nameOf = ({ startOffset, endOffset }: Profiler.CoverageRange): number => startOffset * OFFSET_MAX + endOffset
const OFFSET_MAX = 2 ** 24

/** V8 does not list a block that ran as often as what is around it: the innermost range that is listed counts for it. */
function countOf(block: number, ranges: readonly Profiler.CoverageRange[]): number {
  const start = Math.floor(block / OFFSET_MAX)
  const end = block % OFFSET_MAX
  let count = 0
  // What is inside of a range comes behind it.
  for (const range of ranges) if (range.startOffset <= start && range.endOffset >= end) count = range.count
  return count
}
