import type { Hunt } from "./hunt.js"
import { inWords, NAMES, type Plan } from "./plan.js"
import type { Outcome } from "./world.js"

/** What was tried so far. */
export class Figures {
  readonly #steps: number[] = []
  readonly #begun = performance.now()
  entries = 0

  add({ steps, entries }: Pick<Outcome, "steps" | "entries">): void {
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
    const quantile = (part: number) => sorted[Math.floor(part * sorted.length)] ?? 0
    return (
      `${this.seeds} seeds in ${seconds.toFixed(0)} s: ${perMinute(this.seeds)} seeds and ${perMinute(total)} steps ` +
      `a minute, steps a seed at the median ${quantile(0.5)}, in a tenth at most ${quantile(0.1)}, in a tenth at least ` +
      `${quantile(0.9)}, ${this.entries} entries in the logs; ` +
      "real cryptography, real services, virtual time"
    )
  }
}

const stores = { memory: "a store in memory", sqlite: "SQLite", postgres: "PostgreSQL" } as const

/** The story of a plan, as a numbered list. */
export function story({ devices, items, service }: Plan): string {
  const { store, gateways } = service ?? { store: "memory", gateways: 1 }
  const people = `${NAMES.slice(0, devices).join(", ")}, at ${gateways} gateways over ${stores[store]}`
  return [`with ${people}:`, ...items.map((item, at) => `${String(at + 1).padStart(3)}. ${inWords(item)}`)].join("\n")
}

/** A planted bug, and what the hunt for it came to. */
export interface KilledBug extends Pick<Hunt, "seeds" | "seed" | "invariant"> {
  readonly name: string
}

/** A row of a table in Markdown: the bug, after how many seeds it was caught, and by which invariant. */
export function rowOf({ name, seeds, seed, invariant }: KilledBug, seedsMax: number): string {
  if (seeds === undefined) return `| ${name} | not in ${seedsMax} | |`
  return `| ${name} | ${seeds === 0 ? "its kept plan" : `${seeds} (seed ${seed})`} | ${invariant} |`
}
