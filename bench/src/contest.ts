/** Something that is measured again and again in turn with others: what disturbs the machine disturbs them all. */
export interface Contestant {
  readonly name: string
  /** Runs the operation once and returns its milliseconds; whatever prepares it is not counted. */
  once(): Promise<number> | number
}

export interface Measured {
  /** Milliseconds: the median of the rounds. */
  readonly median: number
  readonly rounds: number
}

/** Rounds last at least so long for each contestant, so that what is fast is run often. */
const ROUND_MILLISECONDS_MIN = 15
const RUNS_MAX = 400
/** And at most so long, what prepares the runs included: after that it makes do with those that it has. */
const ROUND_MILLISECONDS_MAX = 400
/** Before the first round, so that what is compiled while it runs has been: as many runs, or as long. */
const WARMING_RUNS = 300
const WARMING_MILLISECONDS = 1500

/**
 * Medians over the rounds, in each of which every contestant has its turn, the first another one each time. The value
 * of a round is the median of its runs.
 */
export async function contest(contestants: readonly Contestant[], rounds: number): Promise<Map<string, Measured>> {
  const samples = new Map<string, number[]>(contestants.map(({ name }) => [name, []]))
  for (const contestant of contestants) await warm(contestant)
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contestants.length; i++) {
      const contestant = contestants[(i + round) % contestants.length]!
      samples.get(contestant.name)!.push(await oneRound(contestant))
    }
  }
  return new Map(Array.from(samples, ([name, list]) => [name, { median: median(list), rounds: list.length }]))
}

async function warm(contestant: Contestant): Promise<void> {
  const end = performance.now() + WARMING_MILLISECONDS
  for (let run = 0; run === 0 || (run < WARMING_RUNS && performance.now() < end); run++) await contestant.once()
}

async function oneRound(contestant: Contestant): Promise<number> {
  const runs: number[] = []
  let spent = 0
  const end = performance.now() + ROUND_MILLISECONDS_MAX
  const isEnough = () => spent >= ROUND_MILLISECONDS_MIN || runs.length >= RUNS_MAX || performance.now() >= end
  while (runs.length === 0 || !isEnough()) {
    const milliseconds = await contestant.once()
    runs.push(milliseconds)
    spent += milliseconds
  }
  return median(runs)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Milliseconds that `work` takes, without suspending. */
export function timedSync(work: () => unknown): number {
  const start = performance.now()
  work()
  return performance.now() - start
}

/** `1.23 ms`, `45.6 µs`: three digits. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1) return `${(milliseconds * 1000).toPrecision(3)} µs`
  if (milliseconds < 1000) return `${milliseconds.toPrecision(3)} ms`
  return `${(milliseconds / 1000).toPrecision(3)} s`
}

export function ratio(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)
}

/** Columns as wide as what stands in them; the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  ")
  return rows.map(line).join("\n")
}
