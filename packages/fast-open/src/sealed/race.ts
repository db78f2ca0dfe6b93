import type { ClientConnection, ServerFrame } from "./client-connection.js"

export interface Lead {
  readonly connection: ClientConnection
  /** The first frame of the server on it. */
  readonly frame: ServerFrame
  /** What became of the data in the SYN, if that was tried and there was time to find out. */
  readonly synData: "accepted" | "failed" | undefined
}

/** No connection came about. */
export class UnreachedError extends Error {
  override readonly name = "UnreachedError"
}

export interface RaceOptions {
  /** Makes the connection whose flight travels in the SYN; absent where that is not tried. */
  readonly fast?: () => ClientConnection
  readonly ordinary: () => ClientConnection
  /** How long the fast one is alone. */
  readonly headStartMilliseconds: number
  /** How long to wait for any sign of the server. */
  readonly reachMilliseconds: number
  readonly signal: AbortSignal
  /** Whether a first frame settles the race. What does not is the answer only when nothing better comes. */
  readonly settles: (frame: ServerFrame) => boolean
}

/**
 * RFC 8305 in spirit: the first connection on which the server proves itself is the one; the others are closed. Both
 * carry the same request under the same id, so the server runs it once. Rejects with all failures where none is left.
 */
export async function race(options: RaceOptions): Promise<Lead> {
  options.signal.throwIfAborted()
  const runners = new Runners(options)
  const leave = () => runners.fail(options.signal.reason)
  options.signal.addEventListener("abort", leave)
  try {
    return await runners.run()
  } finally {
    options.signal.removeEventListener("abort", leave)
  }
}

class Runners {
  readonly #options: RaceOptions
  readonly #started: ClientConnection[] = []
  readonly #failures: unknown[] = []
  readonly #outcome: Promise<Lead>
  #settle!: (lead: Lead) => void
  #fail!: (error: unknown) => void
  #running = 0
  #ordinaryStarted = false
  #over = false
  #consolation: Lead | undefined
  #timer: NodeJS.Timeout | undefined
  #reachTimer: NodeJS.Timeout | undefined

  constructor(options: RaceOptions) {
    this.#options = options
    this.#outcome = new Promise((resolve, reject) => {
      this.#settle = resolve
      this.#fail = reject
    })
  }

  run(): Promise<Lead> {
    const { fast, headStartMilliseconds, reachMilliseconds } = this.#options
    this.#reachTimer = setTimeout(() => this.#giveUpUnreached(), reachMilliseconds)
    if (fast) {
      this.#start(fast)
      this.#timer = setTimeout(() => this.#lookAfterFast(), headStartMilliseconds)
    } else {
      this.#startOrdinary()
    }
    return this.#outcome
  }

  fail(reason: unknown): void {
    this.#end()
    this.#fail(reason)
  }

  #start(make: () => ClientConnection): void {
    try {
      const connection = make()
      this.#started.push(connection)
      this.#running++
      connection.next().then(
        (frame) => this.#answered(connection, frame),
        (error: unknown) => this.#lost(error),
      )
    } catch (error) {
      this.#running++
      this.#lost(error)
    }
  }

  #startOrdinary(): void {
    clearTimeout(this.#timer)
    if (this.#ordinaryStarted || this.#over) return
    this.#ordinaryStarted = true
    this.#start(this.#options.ordinary)
  }

  /** A flight that has arrived needs no companion, unless its line dies: the service is at work on it. */
  #lookAfterFast(): void {
    if (this.#started[0]?.arrived) this.#timer = setTimeout(() => this.#startOrdinary(), PATIENCE_MILLISECONDS)
    else this.#startOrdinary()
  }

  #answered(connection: ClientConnection, frame: ServerFrame): void {
    if (this.#over) return
    const lead = { connection, frame, synData: this.#synData(connection) }
    if (this.#options.settles(frame)) {
      this.#end(connection)
      this.#settle(lead)
    } else {
      this.#consolation = lead
      this.#lost(undefined)
    }
  }

  /** A fast connection that an ordinary one has overtaken, although it came later, has failed unless its data arrived. */
  #synData(first: ClientConnection): Lead["synData"] {
    const fast = this.#started.find((connection) => connection.fast)
    if (fast === undefined) return undefined
    if (fast.path?.synDataAccepted) return "accepted"
    return fast === first && fast.path === undefined ? undefined : "failed"
  }

  #lost(error: unknown): void {
    if (this.#over) return
    this.#running--
    if (error !== undefined) this.#failures.push(error)
    this.#startOrdinary()
    if (this.#running > 0) return
    if (this.#consolation) {
      this.#end(this.#consolation.connection)
      this.#settle(this.#consolation)
    } else {
      this.fail(new AggregateError(this.#failures, "the service gave no answer"))
    }
  }

  /** Nothing at all has come back: the way is blocked, and waiting for the kernel to say so would take minutes. */
  #giveUpUnreached(): void {
    if (this.#started.some((connection) => connection.reached)) return
    this.fail(
      new AggregateError([new UnreachedError("nothing comes back from the service")], "the service gave no answer"),
    )
  }

  #end(winner?: ClientConnection): void {
    this.#over = true
    clearTimeout(this.#timer)
    clearTimeout(this.#reachTimer)
    for (const connection of this.#started) if (connection !== winner) connection.close()
  }
}

/** A line can die after the flight has arrived: then the companion gets its chance all the same. */
const PATIENCE_MILLISECONDS = 5000
