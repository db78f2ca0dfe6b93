import type { Execution } from "./execution.js"
import type { KeySince, Noted, StrikeRegister, Struck } from "./strike-register.js"

/** What becomes of a request: its run, or that of the copy before it. */
export type Decision = Execution | "spent" | "again"

export interface StrikesOptions {
  readonly register: StrikeRegister
  /** How long a request waits for the register. */
  readonly patienceMilliseconds: number
  /** The run of a request that ran in this process and is still known. */
  readonly find: (requestId: Uint8Array) => Execution | undefined
}

/** A request with what its first flight says. */
export interface Flown {
  /** 16 bytes. */
  readonly requestId: Uint8Array
  /** Milliseconds since 1970. */
  readonly time: number
  readonly key: KeySince
}

/**
 * Asks the strike register, for a limited time. While it considers a request, a copy of the request gets what the
 * first one gets, and waits no longer than that. Nothing here rejects.
 */
export class Strikes {
  readonly #options: StrikesOptions
  /** One for each connection at most. */
  readonly #deciding = new Map<string, Promise<Decision>>()
  #closed = false

  constructor(options: StrikesOptions) {
    this.#options = options
  }

  /** `again` where the register cannot tell in time: an early request must not run on a guess. */
  early({ requestId, time, key }: Flown, start: () => Execution): Decision | Promise<Decision> {
    const name = nameOf(requestId)
    const before = this.#deciding.get(name)
    if (before !== undefined) return before
    return this.#decide<Struck>(name, {
      ask: (signal) => this.#options.register.strike(requestId, time, key, signal),
      otherwise: "undecided",
      conclude: (struck) => (struck === "undecided" ? "again" : this.#conclude(struck, requestId, start)),
    })
  }

  /** For a request that cannot be a replay: it runs unless it is known to have run, whatever state the register is in. */
  async fresh(requestId: Uint8Array, start: () => Execution): Promise<Exclude<Decision, "again">> {
    const name = nameOf(requestId)
    for (let before = this.#deciding.get(name); before !== undefined; before = this.#deciding.get(name)) {
      const decision = await before
      if (typeof decision === "object") return decision
    }
    const decision = await this.#decide<Noted | "unknown">(name, {
      ask: (signal) => this.#options.register.note(requestId, signal),
      otherwise: "unknown",
      conclude: (noted) =>
        noted === "unknown"
          ? (this.#options.find(requestId) ?? this.#run(start))
          : this.#conclude(noted, requestId, start),
    })
    return decision === "again" ? "spent" : decision
  }

  /** Nothing is started any more. */
  close(): void {
    this.#closed = true
  }

  #conclude(noted: Noted, requestId: Uint8Array, start: () => Execution): Decision {
    return noted === "copy" ? (this.#options.find(requestId) ?? "spent") : this.#run(start)
  }

  #run(start: () => Execution): Decision {
    return this.#closed ? "again" : start()
  }

  #decide<Answer>(name: string, asking: Asking<Answer>): Decision | Promise<Decision> {
    const { ask, otherwise, conclude } = asking
    const patience = new AbortController()
    let answer: Answer | Promise<Answer>
    try {
      answer = ask(patience.signal)
    } catch {
      answer = otherwise
    }
    if (!(answer instanceof Promise)) return conclude(answer)
    // A copy that comes from now on finds either this promise or the run.
    const decision = this.#inTime(answer, patience)
      .catch(() => otherwise)
      .then((answered) => {
        this.#deciding.delete(name)
        return conclude(answered)
      })
    this.#deciding.set(name, decision)
    return decision
  }

  #inTime<Answer>(answer: Promise<Answer>, patience: AbortController): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        patience.abort()
        reject(new Error("the register did not answer in time"))
      }, this.#options.patienceMilliseconds)
      answer.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}

interface Asking<Answer> {
  readonly ask: (signal: AbortSignal) => Answer | Promise<Answer>
  /** Stands in for an answer that does not come in time, or at all. */
  readonly otherwise: Answer
  readonly conclude: (answer: Answer) => Decision
}

const nameOf = (requestId: Uint8Array) => Buffer.from(requestId).toString("latin1")
