import * as authentication from "@conclave/auth"
import { raiseIncarnation } from "@conclave/delivery"
import type { Handler, RequestContext } from "@conclave/transport"
import { Bus } from "./gateways/bus.js"
import { Gateway, type ServiceName } from "./gateways/gateway.js"
import { Database, MemoryModel, type Session, type StoreKind } from "./gateways/model.js"
import { PostgresModel, PostgresServer } from "./gateways/postgres.js"
import { SqliteFile, SqliteModel } from "./gateways/sqlite.js"
import { Ledger, type LedgerOptions } from "./ledger.js"
import type { Dice } from "./random.js"
import type { Trace } from "./trace.js"

export interface ServiceOptions extends LedgerOptions {
  readonly trace: Trace
  readonly kind: StoreKind
  readonly gateways: number
  /** For which gateway a connection is made, and what else happens to the gateways and their database. */
  readonly chance: Dice
  /** What the services could not do, through no fault of a request. */
  readonly onError: (error: unknown) => void
}

/** So many of the devices come through a proxy that gives each request to another gateway. */
const PERCENT_UNKEPT = 30

/** From where a device comes, as the service sees it. */
export type Origin = Pick<RequestContext, "peer" | "network">

/** How one device comes to a gateway: to the same while that takes connections, or each time to another. */
export class Connection {
  readonly from: Origin
  readonly #services: Services
  readonly #isKept: boolean
  #gateway: Gateway | undefined

  constructor(services: Services, { isKept, from }: { readonly isKept: boolean; readonly from: Origin }) {
    this.#services = services
    this.#isKept = isKept
    this.from = from
  }

  /** `undefined` where none takes connections. */
  get gateway(): Gateway | undefined {
    if (!this.#isKept || this.#gateway?.takesConnections !== true) this.#gateway = this.#services.balanced()
    return this.#gateway
  }
}

/** Both services, the real ones, at each gateway, over one database that is modelled and watched. */
export class Services {
  readonly gateways: readonly Gateway[]
  readonly database: Database
  readonly bus: Bus
  readonly ledger: Ledger
  /** Until then, a service answers that it cannot (milliseconds from the beginning). */
  readonly outage = { auth: 0, delivery: 0 }
  readonly #options: ServiceOptions
  readonly #server = new PostgresServer()

  constructor(options: ServiceOptions) {
    const { timeline, chance: dice, trace, onError } = options
    this.#options = options
    this.ledger = new Ledger(options)
    this.database = new Database({ timeline, dice, ledger: this.ledger })
    this.bus = new Bus(timeline, dice)
    const shared = {
      ...{ timeline, dice, trace, onError, database: this.database, bus: this.bus, outage: this.outage },
      // Of the provider, services use hashes and signatures.
      crypto: options.invariants.provider,
      directory: authentication.memoryStore(),
      storeOf: this.#storesOf(options.kind),
    }
    this.gateways = Array.from({ length: options.gateways }, (_, n) => {
      return new Gateway({ ...shared, name: `gateway ${n + 1}` })
    })
  }

  connection(from: Origin): Connection {
    return new Connection(this, { isKept: !this.#options.chance.chance(PERCENT_UNKEPT), from })
  }

  /** For a new connection; `undefined` where no gateway takes any. */
  balanced(): Gateway | undefined {
    const taking = this.gateways.filter((it) => it.takesConnections)
    return taking.length < 2 ? taking[0] : this.#options.chance.pick(taking)
  }

  /** What somebody without a connection of its own asks. */
  handler(service: ServiceName): Handler {
    return (request, context) => (this.balanced() ?? this.gateways[0]!)[service](request, context)
  }

  /**
   * A replica takes over that has not received the last `lost` changes. Where it lacks anything, the operator announces
   * another incarnation before gateways are connected again, as `conclave admin announce-restore` does.
   */
  async failOver(lost: number): Promise<void> {
    const { timeline, trace, invariants } = this.#options
    this.#server.failOver()
    const isLoss = await this.ledger.failOver(lost)
    if (isLoss) {
      await raiseIncarnation(this.ledger, invariants.provider, { now: () => timeline.now })
      this.database.generation++
    }
    trace.note(timeline.elapsed, `a replica takes over${isLoss ? " that was behind" : ""}`)
  }

  /** Nothing goes wrong from now on. */
  calmDown(): void {
    Object.assign(this.outage, { auth: 0, delivery: 0 })
    this.bus.lostUntil = 0
    this.database.calmDown()
    for (const gateway of this.gateways) gateway.calmDown()
  }

  #storesOf(kind: StoreKind) {
    const { database } = this
    const file = new SqliteFile()
    return (session: Session) => {
      if (kind === "memory") return new MemoryModel(database, session)
      if (kind === "sqlite") return new SqliteModel(database, session, file)
      return new PostgresModel(database, session, this.#server)
    }
  }
}
