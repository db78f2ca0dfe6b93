/** What a scenario found. All of it can be written as JSON, and read again to be compared with. */
export interface Outcome {
  /** By which it is selected. */
  readonly name: string
  readonly title: string
  readonly measurements: readonly Measurement[]
  readonly latencies: readonly Latencies[]
  readonly series: readonly Series[]
  /** What a reader has to know to judge the figures. */
  readonly notes: readonly string[]
  readonly seconds: number
  /** The system's load over the last minute, at the beginning and at the end. */
  readonly load: readonly [number, number]
}

/** One figure, beside another one of the same run where it is compared. */
export interface Measurement {
  readonly what: string
  readonly value: number
  readonly unit: Unit
  /** The lowest and the highest of the rounds. */
  readonly spread?: readonly [number, number]
  readonly beside?: { readonly what: string; readonly value: number }
  /** `value` by that of `beside`: the median of the rounds' ratios. */
  readonly ratio?: number
  readonly goal?: Goal
}

/** Of the ratio where there is one, else of the value. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number }

export type Unit = "/s" | "ms" | "s" | "µs" | "KiB" | "%" | ""

/** Milliseconds from one event to another. */
export interface Latencies {
  readonly what: string
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** The upper bound of each bucket that holds any, in milliseconds, and how many. */
  readonly buckets: readonly (readonly [number, number])[]
}

/** How many in each second. */
export interface Series {
  readonly what: string
  readonly perSecond: readonly number[]
}

/** A run as it is stored. */
export interface Run {
  readonly at: string
  readonly machine: string
  readonly isQuick: boolean
  readonly outcomes: readonly Outcome[]
}

/** `undefined` where there is no goal. */
export function isMet({ goal, ratio, value }: Measurement): boolean | undefined {
  if (goal === undefined) return undefined
  const judged = ratio ?? value
  return "atLeast" in goal ? judged >= goal.atLeast : judged <= goal.atMost
}

/** `≥ 0.85`. */
export const goalText = (goal: Goal) => ("atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`)

/** Three digits, and thousands apart. */
export function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US")
  if (value === 0) return "0"
  return value >= 100 ? value.toFixed(0) : `${Number(value.toPrecision(3))}`
}

export const withUnit = (value: number, unit: Unit) => (unit === "" ? figure(value) : `${figure(value)} ${unit}`)
