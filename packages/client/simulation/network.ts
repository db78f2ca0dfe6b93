import { directTransport, type RequestOptions, type Transport, TransportError } from "@conclave/transport"
import type { Gateway, ServiceName } from "./gateways/gateway.js"
import type { Life } from "./life.js"
import type { Dice } from "./random.js"
import type { Connection } from "./service.js"
import type { Timeline } from "./timeline.js"
import type { Trace } from "./trace.js"

export type Trouble = "loss" | "partition" | "delay" | "duplication" | "stream"

/** What is wrong with one device's lines, and until when (milliseconds from the beginning). */
export class Weather {
  readonly #until = new Map<Trouble, number>()
  readonly #timeline: Timeline
  readonly #breaks = new Set<() => void>()

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  begin(trouble: Trouble, milliseconds: number): void {
    this.#until.set(trouble, this.#timeline.elapsed + milliseconds)
    if (trouble === "partition" || trouble === "stream") this.breakStreams()
  }

  is(trouble: Trouble): boolean {
    return (this.#until.get(trouble) ?? 0) > this.#timeline.elapsed
  }

  clear(): void {
    this.#until.clear()
  }

  breakStreams(): void {
    for (const breakOff of [...this.#breaks]) breakOff()
  }

  onBreak(breakOff: () => void): () => void {
    this.#breaks.add(breakOff)
    return () => this.#breaks.delete(breakOff)
  }
}

export interface LineOptions<Asked> {
  /** Whose line it is, and where it leads. */
  readonly name: string
  readonly service: ServiceName
  readonly connection: Connection
  readonly life: Life
  readonly weather: Weather
  readonly timeline: Timeline
  readonly dice: Dice
  readonly trace: Trace
  /** A request leaves the device; an answer comes back, or one of a stream. */
  readonly onRequest: (body: Uint8Array) => Asked
  readonly onAnswer: (asked: Asked, answer: Uint8Array) => void
}

/** Of a request that has arrived: nothing breaks it off. */
const UNDISTURBED = new AbortController().signal
const TIMEOUT_MILLISECONDS = 4_000

/** Making an error for each takes longer than the rest. */
const BROKEN = new Error("the stream is over")

/** The way of one device to one service: real requests to the real service, which take their time and may be lost. */
export class Line<Asked> implements Transport {
  readonly #options: LineOptions<Asked>
  /** What waits for an answer: more than a signal likes to have listeners. */
  readonly #waiting = new Set<() => void>()
  #isClosed = false
  #requests = 0

  constructor(options: LineOptions<Asked>) {
    this.#options = options
  }

  async request(body: Uint8Array, { signal }: RequestOptions = {}): Promise<Uint8Array> {
    const { life, weather, dice, timeline, onRequest, onAnswer, name } = this.#options
    signal?.throwIfAborted()
    const what = `${name} ${++this.#requests}`
    try {
      life.point()
    } catch (error) {
      throw lineIsDead(error)
    }
    const copy = body.slice()
    const asked = onRequest(copy)
    this.#note(`${what} asks`, copy)
    const isLost = weather.is("partition") || (weather.is("loss") && dice.chance(35))
    const copies = weather.is("duplication") && dice.chance(50) ? 2 : 1
    return new Promise((resolve, reject) => {
      const forget = this.#waitFor(signal, (error) => fail(error))
      const end = () => {
        forget()
        cancelTimeout()
      }
      const fail = (error: unknown) => {
        end()
        reject(error)
      }
      const isUp = () => fail(lineIsDead("no answer"))
      const cancelTimeout = timeline.after(TIMEOUT_MILLISECONDS, `${what}: time is up`, isUp)
      if (this.#isOver) end()
      if (isLost) return
      for (let n = 0; n < copies; n++) {
        const late = n === 0 ? 0 : dice.between(1, 6_000)
        timeline.after(late + this.#delay(), `${what} arrives`, () => {
          void this.#ask(copy).then((answer) => {
            if (answer === undefined || weather.is("partition") || (weather.is("loss") && dice.chance(35))) return
            timeline.after(this.#delay(), `${what} is answered`, () => {
              if (this.#isOver) return
              this.#note(`${what} is answered`, answer)
              try {
                life.point()
              } catch (error) {
                fail(lineIsDead(error))
                return
              }
              onAnswer(asked, answer)
              end()
              resolve(answer)
            })
          })
        })
      }
    })
  }

  async *subscribe(body: Uint8Array, { signal }: RequestOptions = {}): AsyncGenerator<Uint8Array> {
    const { weather, dice, timeline, onRequest, onAnswer, name, connection } = this.#options
    const copy = body.slice()
    const asked = onRequest(copy)
    const what = `${name} stream ${++this.#requests}`
    this.#note(`${what} begins`, copy)
    const breaking = new AbortController()
    let breakOff: (error: unknown) => void = () => {}
    const broken = new Promise<never>((_, reject) => {
      breakOff = reject
    })
    broken.catch(() => {})
    const end = this.#waitFor(signal, (error) => breakOff(error))
    const forget = weather.onBreak(() => breakOff(lineIsDead("the stream broke")))
    let leave = () => {}
    try {
      const within = <T>(promise: Promise<T>) => Promise.race([promise, broken])
      await within(timeline.pause(this.#delay(), `${what} arrives`))
      if (weather.is("partition") || (weather.is("loss") && dice.chance(35))) throw lineIsDead("lost on the way")
      const gateway = this.#gateway()
      leave = gateway.onGone(() => breakOff(lineIsDead("the gateway is gone")))
      const serve = gateway[this.#options.service]
      const service = directTransport((request, context) => serve(request, { ...context, ...connection.from }))
      const answers = service.subscribe(copy, { signal: breaking.signal })[Symbol.asyncIterator]()
      for (;;) {
        const { value, done } = await within(answers.next())
        if (done) return
        const isTroubled = weather.is("stream")
        if (isTroubled && dice.chance(25)) throw lineIsDead("the stream broke")
        await within(timeline.pause(this.#delay() + (isTroubled ? dice.below(5_000) : 0), `${what} brings something`))
        for (let n = isTroubled && dice.chance(25) ? 2 : 1; n > 0; n--) {
          this.#note(`${what} brings`, value)
          onAnswer(asked, value)
          yield value.slice()
        }
      }
    } finally {
      forget()
      leave()
      end()
      breaking.abort(BROKEN)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    for (const breakOff of [...this.#waiting]) breakOff()
  }

  async #ask(body: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      // A request that is under way arrives, whatever has become of the device.
      const context = { signal: UNDISTURBED, early: false, ...this.#options.connection.from }
      for await (const answer of this.#gateway()[this.#options.service](body.slice(), context)) return answer.slice()
      return undefined
    } catch {
      return undefined
    }
  }

  /** @throws {TransportError} where none takes connections */
  #gateway(): Gateway {
    const { gateway } = this.#options.connection
    if (gateway === undefined) throw lineIsDead("no gateway takes connections")
    return gateway
  }

  get #isOver(): boolean {
    return this.#isClosed || this.#options.life.isOver
  }

  #delay(): number {
    const { weather, dice } = this.#options
    return weather.is("delay") ? dice.below(3_000) : dice.between(1, 40)
  }

  #note(what: string, bytes: Uint8Array): void {
    this.#options.trace.note(this.#options.timeline.elapsed, what, bytes)
  }

  /** `breakOff` is called when the asker, the line or the device is gone. Returns what forgets it. */
  #waitFor(signal: AbortSignal | undefined, breakOff: (error: unknown) => void): () => void {
    const onAbort = () => breakOff(signal?.reason)
    const onClose = () => breakOff(lineIsDead("the line is closed"))
    const forget = this.#options.life.wait(() => breakOff(lineIsDead("the power is off")))
    signal?.addEventListener("abort", onAbort)
    this.#waiting.add(onClose)
    if (signal?.aborted) onAbort()
    if (this.#isOver) onClose()
    return () => {
      forget()
      signal?.removeEventListener("abort", onAbort)
      this.#waiting.delete(onClose)
    }
  }
}

function lineIsDead(cause: unknown): TransportError {
  return new TransportError("lost on the way", { retryable: true, cause })
}
