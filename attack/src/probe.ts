import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { percentile } from "./timing.js"

const program = fileURLToPath(new URL("probe-process.js", import.meta.url))

/** How an honest client at an address fares. */
export class Probe {
  readonly #child: ChildProcess

  constructor(url: URL, localAddress: string, everyMilliseconds = 50) {
    const told = JSON.stringify({ url: url.href, localAddress, everyMilliseconds })
    this.#child = fork(program, [told], { stdio: ["ignore", "ignore", "inherit", "ipc"] })
  }

  /** Asks no more, and waits for what is under way. */
  async end(): Promise<Fared> {
    const times = await new Promise<(number | null)[]>((resolve) => {
      this.#child.once("message", (message) => resolve(message as (number | null)[]))
      this.#child.send("end")
    })
    const answered = times.filter((time) => time !== null)
    return new Fared(times.length, answered)
  }
}

export class Fared {
  readonly asked: number
  readonly p99: number
  readonly refused: number

  constructor(asked: number, answered: readonly number[]) {
    this.asked = asked
    this.refused = asked - answered.length
    // Who gets no answer waits for ever.
    const all = [...answered, ...Array<number>(this.refused).fill(Number.POSITIVE_INFINITY)]
    this.p99 = percentile(all, 0.99)
  }

  get words(): string {
    const p99 = Number.isFinite(this.p99) ? `${Math.round(this.p99)} ms` : "never"
    return `p99 ${p99}, ${this.refused} of ${this.asked} refused`
  }
}
