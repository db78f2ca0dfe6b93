import * as authentication from "@conclave/auth"
import { encode } from "@conclave/codec"
import { AuthResponse } from "@conclave/contracts/auth"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import * as delivery from "@conclave/delivery"
import type { Handler, RequestContext } from "@conclave/transport"
import type { Dice } from "../random.js"
import type { Timeline } from "../timeline.js"
import type { Trace } from "../trace.js"
import type { Bus, BusWake } from "./bus.js"
import { type Database, Session } from "./model.js"

export type ServiceName = "delivery" | "auth"

const outOfOrder = { type: "unavailable", reason: "out of order", retryAfterMilliseconds: 1_000 } as const
const refusals = { auth: encode(AuthResponse, outOfOrder), delivery: encode(DeliveryResponse, outOfOrder) } as const

export interface GatewayOptions {
  readonly name: string
  readonly timeline: Timeline
  readonly dice: Dice
  readonly trace: Trace
  readonly crypto: CryptoProvider
  readonly database: Database
  readonly bus: Bus
  readonly directory: ReturnType<typeof authentication.memoryStore>
  readonly storeOf: (session: Session) => delivery.Store
  /** Until when a service answers that it cannot (milliseconds from the beginning). */
  readonly outage: Readonly<Record<ServiceName, number>>
  readonly onError: (error: unknown) => void
}

/** One run of a gateway's process. */
interface Run {
  readonly services: Readonly<Record<ServiceName, Handler>>
  readonly session: Session
  readonly wake: BusWake
  isDraining: boolean
}

/** A process with both services, over the database that all gateways share. What it has in memory is lost with it. */
export class Gateway {
  readonly name: string
  readonly delivery: Handler
  readonly auth: Handler
  readonly #options: GatewayOptions
  #run: Run | undefined
  /** What breaks the streams that this gateway has. */
  readonly #streams = new Set<() => void>()

  constructor(options: GatewayOptions) {
    this.name = options.name
    this.#options = options
    this.delivery = this.#serving("delivery")
    this.auth = this.#serving("auth")
    this.#run = this.#start()
  }

  get takesConnections(): boolean {
    return this.#run !== undefined && !this.#run.isDraining
  }

  /** `breakOff` is called when the gateway is gone, or hands its streams over. Returns what forgets it. */
  onGone(breakOff: () => void): () => void {
    if (this.#run === undefined) breakOff()
    this.#streams.add(breakOff)
    return () => this.#streams.delete(breakOff)
  }

  crash(): void {
    this.#stop("crashes")
  }

  /** Takes nothing new, hands over what it has, and ends. */
  drain(): void {
    const run = this.#run
    if (run === undefined || run.isDraining) return
    run.isDraining = true
    this.#note("drains")
    this.#handOver()
    this.#options.timeline.after(DRAIN_MILLISECONDS, `${this.name} has drained`, () => {
      if (this.#run === run) this.#stop("ends")
    })
  }

  /** Without the database for a while. */
  cutOff(milliseconds: number): void {
    if (this.#run === undefined) return
    this.#note("is cut off from the database")
    this.#run.session.cutUntil = this.#options.timeline.elapsed + milliseconds
  }

  calmDown(): void {
    if (this.#run === undefined) this.#run = this.#start()
    else this.#run.session.cutUntil = 0
  }

  #start(): Run {
    const { database, bus, directory, timeline, crypto, storeOf, onError } = this.#options
    const now = () => timeline.now
    const session = new Session(database, () => this.#stop("has to start again"))
    const wake = bus.join()
    const shared = { crypto, now, onError: (error: unknown) => isExpected(error) || onError(error) }
    const auth = authentication.authenticationService({ ...shared, store: directory })
    const service = delivery.deliveryService({
      ...shared,
      store: storeOf(session),
      directory: authentication.directoryOf(directory),
      wake,
    })
    this.#note("starts")
    return { services: { delivery: service, auth }, session, wake, isDraining: false }
  }

  #stop(how: string): void {
    const run = this.#run
    if (run === undefined) return
    this.#note(how)
    this.#run = undefined
    run.session.isOver = true
    run.wake.end()
    this.#handOver()
    const { timeline, dice } = this.#options
    timeline.after(dice.between(300, 6_000), `${this.name} starts again`, () => {
      this.#run ??= this.#start()
    })
  }

  #handOver(): void {
    for (const breakOff of [...this.#streams]) breakOff()
  }

  #serving(service: ServiceName): Handler {
    return async function* (this: Gateway, request: Uint8Array, context: RequestContext) {
      const run = this.#run
      if (run === undefined) return
      if (this.#options.timeline.elapsed < this.#options.outage[service]) {
        yield refusals[service]
        return
      }
      for await (const answer of run.services[service](request, context)) {
        if (this.#run !== run) return
        yield answer
      }
    }.bind(this)
  }

  #note(what: string): void {
    const { trace, timeline } = this.#options
    trace.note(timeline.elapsed, `${this.name} ${what}`)
  }
}

/** Requests that are under way have so long to end. */
const DRAIN_MILLISECONDS = 3_000

const isExpected = (error: unknown) => error instanceof delivery.StoreUnavailable
