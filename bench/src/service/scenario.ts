import type { Outcome } from "./results.js"

/** What a scenario needs to know. */
export interface Setting {
  /** As small as it can be and still run every line. */
  readonly isQuick: boolean
  readonly rounds: number
  /** How many want to commit at once, where that was said. */
  readonly wishes: number | undefined
  /** A folder of the run's own. */
  readonly folder: string
  /** Shows what is being done. */
  readonly progress: (text: string) => void
}

export type Found = Pick<Outcome, "measurements"> & Partial<Pick<Outcome, "latencies" | "series" | "notes">>

export interface Scenario {
  readonly name: string
  readonly title: string
  run(setting: Setting): Promise<Found>
}
