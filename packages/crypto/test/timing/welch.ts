/**
 * Whether the time of an operation tells two classes of secrets apart, in the manner of dudect (Reparaz, Balasch and
 * Verbauwhede, "Dude, is my code constant time?", 2017): the classes are measured in turns that chance decides, and
 * Welch's t-test is asked whether their means differ.
 */
export interface Experiment {
  readonly name: string
  /** Whether the classes are to be told apart: the test has to be able to see a leak where there is one. */
  readonly leaks: boolean
  /** Calls in one measurement, for operations that are shorter than a clock can tell. */
  readonly calls: number
  /** Measurements of the quick run. */
  readonly measurements: number
  /** Sets up what one call of `run` will work on; it is not measured. Both classes must cost the same here. */
  prepare(isFirstClass: boolean): void
  /** Returns something that depends on the work, so that no compiler leaves it out. */
  run(): number
}

export interface Verdict {
  readonly name: string
  /** The largest of the t-values, over all measurements and over those left when the slowest are cut away. */
  readonly t: number
  /** Medians of the two classes, in nanoseconds a call. */
  readonly medians: readonly [number, number]
  readonly measurements: number
}

/**
 * Beyond it the classes differ for certain. dudect takes 4.5 as a warning and 10 as proof; with six t-values from each
 * experiment, on a machine that does other things besides, a warning is not news.
 */
export const tMax = 10

export function measure(experiment: Experiment, measurements = experiment.measurements): Verdict {
  const { prepare, run, calls } = experiment
  const times = new Float64Array(measurements)
  const isFirst = Uint8Array.from({ length: measurements }, () => (Math.random() < 0.5 ? 1 : 0))
  let sink = 0
  // The first fifth is for the compiler, and not counted.
  for (let i = -Math.floor(measurements / 5); i < measurements; i++) {
    prepare(isFirst[Math.max(0, i)] === 1)
    const start = process.hrtime.bigint()
    for (let call = 0; call < calls; call++) sink = (sink + run()) | 0
    const end = process.hrtime.bigint()
    if (i >= 0) times[i] = Number(end - start) / calls
  }
  const t = Math.max(...[1, 0.99, 0.95, 0.9, 0.75, 0.5].map((kept) => Math.abs(welch(times, isFirst, kept))))
  const medians = [1, 0].map((which) => median(times.filter((_, i) => isFirst[i] === which))) as [number, number]
  if (Number.isNaN(sink)) throw new TypeError("an operation returned no number")
  return { name: experiment.name, t, medians, measurements }
}

/** Welch's t of the two classes, of the fastest `kept` of all measurements: what else ran only makes slower. */
function welch(times: Float64Array, isFirst: Uint8Array, kept: number): number {
  const limit = [...times].sort((a, b) => a - b)[Math.ceil(kept * times.length) - 1]!
  const classes = [new Moments(), new Moments()] as const
  for (let i = 0; i < times.length; i++) if (times[i]! <= limit) classes[isFirst[i]! as 0 | 1].add(times[i]!)
  const [a, b] = classes
  // What is left is one class alone: the classes are far apart, and what is not cut away says so.
  if (a.count < 2 || b.count < 2) return 0
  const error = Math.sqrt(a.variance / a.count + b.variance / b.count)
  return error === 0 ? 0 : (a.mean - b.mean) / error
}

/** Mean and variance in one pass (Welford). */
class Moments {
  count = 0
  mean = 0
  #squares = 0

  add(value: number): void {
    this.count++
    const difference = value - this.mean
    this.mean += difference / this.count
    this.#squares += difference * (value - this.mean)
  }

  get variance(): number {
    return this.#squares / (this.count - 1)
  }
}

const median = (values: Float64Array): number => values.sort()[values.length >> 1] ?? 0
