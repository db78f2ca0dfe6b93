import type { Handler, RequestContext } from "@conclave/transport"

export interface ExecutionLimits {
  /** Bytes of responses that are kept for copies of a request. Default 262,144. */
  readonly recordedBytesMax: number
  /** How many may hear the responses of one request at a time. Default 64. */
  readonly listenersMax: number
  /** How long the copies that a client sends beside its subscription may take its place. Default 10,000. */
  readonly raceMilliseconds: number
  /** How long a run goes on when nobody listens, for a copy that is still on its way. Default 2,000. */
  readonly graceMilliseconds: number
}

type Run = (signal: AbortSignal) => AsyncIterable<Uint8Array>

/** Who may hear a subscription: its client, which sends it on two connections at once when the first is slow. */
const SUBSCRIBERS_MAX = 2

/** Whose run it is. */
export interface Origin {
  /** A run of any number of responses, and not of one. */
  readonly subscription: boolean
  /** See `RequestContext.peer`. */
  readonly peer: string | undefined
}

/** One who hears all responses from the first one on. Iteration throws where the run failed. */
export interface Listening {
  readonly responses: AsyncGenerator<Uint8Array, void, undefined>
  leave(): void
}

/**
 * One run of one request. Everybody who brings a copy of the request hears the same responses from the first one on;
 * nobody makes it run again. Once more has been said than is kept, late copies are turned away.
 *
 * A subscription would let a thief of its first flight hear along for as long as it goes on. So its copies are heard
 * from the subscriber's own address only, and they end with the first connection unless they take its place at once.
 */
export class Execution {
  readonly #limits: ExecutionLimits
  readonly #gone = new AbortController()
  readonly #waiting = new Set<() => void>()
  readonly #counted: (bytes: number) => void
  readonly #origin: Origin
  readonly #startedAt = performance.now()
  readonly #listeners = new Map<symbol, number>()
  #responses: Uint8Array[] = []
  /** Number of the first response that is still kept. */
  #first = 0
  #bytes = 0
  #retired = false
  #state: "running" | "ended" | "failed" = "running"
  #grace: NodeJS.Timeout | undefined

  /** `counted` is told of each change in the bytes that are kept. */
  constructor(
    run: Run,
    { limits, origin, counted }: { limits: ExecutionLimits; origin: Origin; counted: (bytes: number) => void },
  ) {
    this.#limits = limits
    this.#origin = origin
    this.#counted = counted
    void this.#pump(run)
    this.#startGrace()
  }

  /** `undefined` where the first response cannot be had any more, too many listen, or it is not for `peer`. */
  listen(peer: string | undefined): Listening | undefined {
    const { subscription, peer: owner } = this.#origin
    if (subscription && peer !== owner) return undefined
    const full = this.#listeners.size >= (subscription ? SUBSCRIBERS_MAX : this.#limits.listenersMax)
    if (this.#first > 0 || this.#retired || this.#gone.signal.aborted || full) return undefined
    const listener = Symbol()
    this.#listeners.set(listener, 0)
    clearTimeout(this.#grace)
    return { responses: this.#responsesFor(listener), leave: () => this.#leave(listener) }
  }

  /** Nobody new is to come: what is kept for them may go when those who listen have heard it. */
  retire(): void {
    this.#retired = true
    if (this.#state !== "running" && this.#listeners.size === 0) this.#drop(this.#responses.length)
  }

  /** Ends the run and everybody's listening. */
  abort(): void {
    this.#gone.abort()
    clearTimeout(this.#grace)
    this.#wake()
  }

  async *#responsesFor(listener: symbol): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const heard = this.#listeners.get(listener)
        if (heard === undefined) return
        if (heard - this.#first < this.#responses.length) {
          const response = this.#responses[heard - this.#first]!
          this.#listeners.set(listener, heard + 1)
          this.#forget()
          this.#wake()
          yield response
        } else if (this.#state === "failed" || this.#gone.signal.aborted) {
          throw new Error("the service failed")
        } else if (this.#state === "ended") {
          return
        } else {
          await this.#change()
        }
      }
    } finally {
      this.#leave(listener)
    }
  }

  #leave(listener: symbol): void {
    const [first] = this.#listeners.keys()
    if (!this.#listeners.delete(listener)) return
    const isRace = performance.now() - this.#startedAt <= this.#limits.raceMilliseconds
    if (this.#origin.subscription && listener === first && !isRace && this.#state === "running") this.abort()
    if (this.#listeners.size === 0 && this.#state === "running") this.#startGrace()
    this.#wake()
  }

  async #pump(run: Run): Promise<void> {
    const { signal } = this.#gone
    try {
      for await (const response of run(signal)) {
        if (signal.aborted) return
        this.#responses.push(response)
        this.#count(response.length)
        this.#wake()
        while (this.#unheard() > this.#limits.recordedBytesMax && !signal.aborted) await this.#change()
      }
      this.#state = "ended"
    } catch {
      this.#state = "failed"
    }
    this.#wake()
  }

  /** Bytes that the slowest listener has not taken; the service waits while they are too many. */
  #unheard(): number {
    if (this.#bytes <= this.#limits.recordedBytesMax) return 0
    const slowest = this.#slowest() - this.#first
    return this.#responses.slice(slowest).reduce((bytes, response) => bytes + response.length, 0)
  }

  #slowest(): number {
    return this.#listeners.size === 0 ? this.#first : Math.min(...this.#listeners.values())
  }

  /** Beyond the limit, what everybody has heard goes. */
  #forget(): void {
    while (this.#bytes > this.#limits.recordedBytesMax && this.#slowest() > this.#first) this.#drop(1)
  }

  #drop(count: number): void {
    const dropped = this.#responses.splice(0, count)
    this.#first += dropped.length
    this.#count(-dropped.reduce((bytes, response) => bytes + response.length, 0))
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#counted(bytes)
  }

  #startGrace(): void {
    this.#grace = setTimeout(() => {
      if (this.#state === "running") this.abort()
    }, this.#limits.graceMilliseconds)
    this.#grace.unref()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

export interface ExecutionsLimits extends ExecutionLimits {
  /** Runs that are remembered with their responses. Default 4,096. */
  readonly countMax: number
  /** Bytes of responses that are remembered altogether. Default 64 MiB. */
  readonly bytesMax: number
  readonly keptMilliseconds: number
}

export const executionLimits: ExecutionsLimits = {
  recordedBytesMax: 262_144,
  listenersMax: 64,
  raceMilliseconds: 10_000,
  graceMilliseconds: 2000,
  countMax: 4096,
  bytesMax: 64 * 1024 * 1024,
  keptMilliseconds: 20_000,
}

export interface Asked extends Pick<RequestContext, "early" | "peer" | "network"> {
  readonly subscription: boolean
  readonly requestId: Uint8Array
  readonly body: Uint8Array
}

/** Executions of the recent past, by request; bounded in number, bytes and age. */
export class Executions {
  readonly #limits: ExecutionsLimits
  readonly #handler: Handler
  readonly #now: () => number
  readonly #byRequest = new Map<string, { readonly execution: Execution; readonly since: number }>()
  readonly #running = new Set<Execution>()
  #bytes = 0

  constructor(options: { readonly handler: Handler; readonly now: () => number; readonly limits: ExecutionsLimits }) {
    this.#handler = options.handler
    this.#now = options.now
    this.#limits = options.limits
  }

  /** Runs a request that has not run before. */
  start({ requestId, body, subscription, ...asked }: Asked): Execution {
    this.#forgetOld()
    const run = async function* (this: Executions, signal: AbortSignal) {
      try {
        yield* this.#handler(body, { signal, way: "sealed", ...asked })
      } finally {
        this.#running.delete(execution)
      }
    }.bind(this)
    const execution: Execution = new Execution(run, {
      limits: this.#limits,
      origin: { subscription, peer: asked.peer },
      counted: (bytes) => {
        this.#bytes += bytes
      },
    })
    this.#running.add(execution)
    this.#byRequest.set(nameOf(requestId), { execution, since: this.#now() })
    return execution
  }

  /** The run of a request that has run before, if it is still known. */
  find(requestId: Uint8Array): Execution | undefined {
    return this.#byRequest.get(nameOf(requestId))?.execution
  }

  /** Bytes of responses that are kept. */
  get bytes(): number {
    return this.#bytes
  }

  close(): void {
    for (const execution of this.#running) execution.abort()
    this.#byRequest.clear()
  }

  #forgetOld(): void {
    const oldest = this.#now() - this.#limits.keptMilliseconds
    for (const [name, { execution, since }] of this.#byRequest) {
      const crowded = this.#byRequest.size >= this.#limits.countMax || this.#bytes > this.#limits.bytesMax
      if (!crowded && since >= oldest) break
      this.#byRequest.delete(name)
      execution.retire()
    }
  }
}

function nameOf(requestId: Uint8Array): string {
  return Buffer.from(requestId.buffer, requestId.byteOffset, requestId.length).toString("latin1")
}
