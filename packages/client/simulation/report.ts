import { inWords, NAMES, type Plan } from "./plan.js"
import type { Outcome } from "./world.js"

/** What was tried so far. */
export class Figures {
  readonly #steps: number[] = []
  readonly #begun = performance.now()
  entries = 0

  add({ steps, entries }: Outcome): void {
    this.#steps.push(steps)
    this.entries += entries
  }

  get seeds(): number {
    return this.#steps.length
  }

  inWords(): string {
    const seconds = (performance.now() - this.#begun) / 1000
    const sorted = [...this.#steps].sort((a, b) => a - b)
    const total = sorted.reduce((sum, steps) => sum + steps, 0)
    const perMinute = (count: number) => Math.round((count / seconds) * 60)
    return (
      `${this.seeds} seeds in ${seconds.toFixed(0)} s: ${perMinute(this.seeds)} seeds and ${perMinute(total)} steps ` +
      `a minute, at the median ${sorted[sorted.length >> 1] ?? 0} steps a seed, ${this.entries} entries in the logs; ` +
      "real cryptography, real services, virtual time"
    )
  }
}

/** The story of a plan, as a numbered list. */
export function story({ devices, items }: Plan): string {
  const people = NAMES.slice(0, devices).join(", ")
  return [`with ${people}:`, ...items.map((item, at) => `${String(at + 1).padStart(3)}. ${inWords(item)}`)].join("\n")
}
