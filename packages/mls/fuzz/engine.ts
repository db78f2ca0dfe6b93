import { inputSizeMax, mutateBytes } from "./bytes.js"
import type { Coverage } from "./coverage.js"
import { type Draw, fingerprint } from "./random.js"

/** Something that takes bytes from anybody. */
export interface Target {
  readonly name: string
  /** Inputs to begin with, besides those that are kept. */
  readonly seeds: readonly Uint8Array[]
  /** How many inputs run between two looks at the coverage, which takes half a millisecond. */
  readonly batch: number
  /** How often it has its turn, compared with the others. */
  readonly share: number
  /** What came of the input, in a word or two. Throws where something is not as it must be. */
  run(input: Uint8Array): string | Promise<string>
}

export type Corpus = ReadonlyMap<string, readonly Uint8Array[]>

export interface FuzzOptions {
  readonly targets: readonly Target[]
  readonly corpus: Corpus
  readonly coverage: Coverage
  readonly draw: Draw
  /** Whether to go on, by the number of executions so far. */
  readonly goesOn: (executions: number) => boolean
  /** Is told of every input that is new to the corpus. */
  readonly onNew?: (target: Target, input: Uint8Array) => void
}

export interface FuzzResult {
  readonly executions: number
  /** By target, and by what came of it. */
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, number>>
  readonly corpus: Corpus
  /** What ended the search before its time. */
  readonly finding: Finding | undefined
}

/** An input with which something is not as it must be. */
export class Finding extends Error {
  override readonly name = "Finding"
  readonly target: string
  readonly input: Uint8Array

  constructor(target: string, input: Uint8Array, cause: unknown) {
    super(`${target}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.target = target
    this.input = input
  }
}

export const limits = { inputMilliseconds: 1000, memoryBytes: 512 * 1024 * 1024 }

/** Runs what is kept, and then changes of it, keeping whatever reaches something new, until there is a finding. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const run = new Run(options)
  try {
    await run.replay()
    await run.search()
  } catch (error) {
    if (!(error instanceof Finding)) throw error
    return run.result(error)
  }
  return run.result(undefined)
}

class Run {
  readonly #options: FuzzOptions
  readonly #corpus = new Map<string, Uint8Array[]>()
  readonly #outcomes = new Map<string, Map<string, number>>()
  #executions = 0

  constructor(options: FuzzOptions) {
    this.#options = options
    for (const { name } of options.targets) {
      this.#corpus.set(name, [])
      this.#outcomes.set(name, new Map())
    }
  }

  result(finding: Finding | undefined): FuzzResult {
    return { executions: this.#executions, outcomes: this.#outcomes, corpus: this.#corpus, finding }
  }

  /** Every seed, and every input that was kept: each was worth it once. */
  async replay(): Promise<void> {
    const { targets, corpus, coverage } = this.#options
    coverage.skip()
    for (const target of targets) {
      const inputs = [...target.seeds, ...(corpus.get(target.name) ?? [])]
      for (const input of inputs) await this.#execute(target, input)
      this.#corpus.set(target.name, inputs.length === 0 ? [new Uint8Array(0)] : inputs)
    }
    coverage.take()
  }

  async search(): Promise<void> {
    const { targets, goesOn, draw } = this.#options
    const turns = targets.flatMap((target) => new Array<Target>(target.share).fill(target))
    while (goesOn(this.#executions)) await this.#runBatch(turns[draw(turns.length)]!)
  }

  async #runBatch(target: Target): Promise<void> {
    const { coverage } = this.#options
    const batch: Uint8Array[] = []
    for (let i = 0; i < target.batch; i++) {
      const input = this.#nextInput(target.name)
      batch.push(input)
      if (target.batch === 1) return this.#runAlone(target, input)
      await this.#execute(target, input)
    }
    if (!coverage.foundBlocks()) return
    for (const input of batch) await this.#runAlone(target, input)
  }

  async #runAlone(target: Target, input: Uint8Array): Promise<void> {
    await this.#execute(target, input)
    if (this.#options.coverage.take() === 0) return
    this.#corpus.get(target.name)!.push(input)
    this.#options.onNew?.(target, input)
  }

  /** One of the corpus, the younger the likelier, changed. */
  #nextInput(name: string): Uint8Array {
    const { draw } = this.#options
    const known = this.#corpus.get(name)!
    const at = draw(2) === 0 ? draw(known.length) : Math.max(draw(known.length), draw(known.length))
    return mutateBytes(known[at]!, known[draw(known.length)]!, draw)
  }

  async #execute(target: Target, input: Uint8Array): Promise<void> {
    const outcomes = this.#outcomes.get(target.name)!
    const outcome = await execute(target, input)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    this.#executions++
  }
}

/** Runs one input within the limits. @throws Finding */
export async function execute(
  target: Target,
  input: Uint8Array,
  { inputMilliseconds }: { readonly inputMilliseconds: number } = limits,
): Promise<string> {
  let outcome = ""
  let fastest = Number.POSITIVE_INFINITY
  // A collection of garbage, or compiling, may fall into it: only what is slow three times is slow.
  for (let i = 0; i < 3 && fastest > inputMilliseconds; i++) {
    const start = process.cpuUsage()
    try {
      const answer = target.run(input)
      outcome = typeof answer === "string" ? answer : await answer
    } catch (error) {
      throw new Finding(target.name, input, error)
    }
    // Time of the processor: what else the machine does is not the input's fault.
    const { user, system } = process.cpuUsage(start)
    fastest = Math.min(fastest, (user + system) / 1000)
  }
  if (fastest > inputMilliseconds) {
    throw new Finding(target.name, input, new Error(`it took ${Math.round(fastest)} ms, three times`))
  }
  if (input.length * 16 >= inputSizeMax && process.memoryUsage.rss() > limits.memoryBytes) {
    throw new Finding(target.name, input, new Error(`the process holds ${process.memoryUsage.rss()} bytes`))
  }
  return outcome
}

/** What is worth keeping: the shortest inputs that together reach what all of them reach. */
export async function distilled(targets: readonly Target[], corpus: Corpus, coverage: Coverage): Promise<Corpus> {
  coverage.forget()
  const kept = new Map<string, Uint8Array[]>()
  for (const target of targets) {
    for (const seed of target.seeds) await execute(target, seed)
    coverage.take()
    const list: Uint8Array[] = []
    kept.set(target.name, list)
    const shortestFirst = [...(corpus.get(target.name) ?? [])].sort(
      (a, b) => a.length - b.length || fingerprint(a) - fingerprint(b),
    )
    for (const input of shortestFirst) {
      await execute(target, input)
      if (coverage.take() > 0) list.push(input)
    }
  }
  return kept
}
