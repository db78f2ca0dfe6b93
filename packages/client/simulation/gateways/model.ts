import { type Store, StoreUnavailable } from "@conclave/delivery"
import type { Ledger } from "../ledger.js"
import type { Dice } from "../random.js"
import type { Timeline } from "../timeline.js"

export type StoreKind = "memory" | "sqlite" | "postgres"

/** What may be wrong with a database for a while. */
export type StoreTrouble = "slow" | "full" | "unknown" | "exhausted"

/** A database that is modelled: one ledger, which is what has been committed, and what is wrong with it just now. */
export class Database {
  readonly timeline: Timeline
  readonly dice: Dice
  readonly ledger: Ledger
  /** Rises when another incarnation is announced: a gateway that was connected before has to start again. */
  generation = 0
  readonly #until = new Map<StoreTrouble, number>()

  constructor(options: { readonly timeline: Timeline; readonly dice: Dice; readonly ledger: Ledger }) {
    this.timeline = options.timeline
    this.dice = options.dice
    this.ledger = options.ledger
  }

  begin(trouble: StoreTrouble, milliseconds: number): void {
    this.#until.set(trouble, this.timeline.elapsed + milliseconds)
  }

  is(trouble: StoreTrouble): boolean {
    return (this.#until.get(trouble) ?? 0) > this.timeline.elapsed
  }

  calmDown(): void {
    this.#until.clear()
  }

  /** What takes no time is no event of its own. */
  async pause(milliseconds: number, what: string): Promise<void> {
    if (milliseconds > 0) await this.timeline.pause(milliseconds, what)
  }
}

/** What connects one gateway, from its start to its end, with the database. */
export class Session {
  readonly generation: number
  /** The gateway is gone: what it still does has no effect. */
  isOver = false
  /** Cut off until then (milliseconds from the beginning). */
  cutUntil = 0
  readonly #database: Database
  readonly #onOutdated: () => void

  constructor(database: Database, onOutdated: () => void) {
    this.#database = database
    this.#onOutdated = onOutdated
    this.generation = database.generation
  }

  /** @throws {StoreUnavailable} without a connection, or with one to a database that was restored. */
  require(): void {
    if (this.isOver) throw new StoreUnavailable("the gateway is gone")
    if (this.#database.timeline.elapsed < this.cutUntil) throw new StoreUnavailable("the connection is cut")
    if (this.generation === this.#database.generation) return
    this.#onOutdated()
    throw new StoreUnavailable("the database was restored: start the gateway again")
  }
}

/** What a transaction writes to, by hexadecimal ids. */
export interface Touched {
  readonly groups?: readonly Uint8Array[]
  readonly devices?: readonly Uint8Array[]
}

/** A store of one gateway: what each kind of store adds to the ledger is when an operation is done, and whether. */
export abstract class ModelStore implements Store {
  protected readonly database: Database
  protected readonly session: Session

  constructor(database: Database, session: Session) {
    this.database = database
    this.session = session
  }

  protected get ledger(): Ledger {
    return this.database.ledger
  }

  protected abstract reading<T>(what: () => Promise<T>): Promise<T>
  protected abstract writing<T>(touched: Touched, what: () => Promise<T>): Promise<T>

  createGroup: Store["createGroup"] = (group) => {
    return this.writing({ groups: [group.groupId] }, () => this.ledger.createGroup(group))
  }
  append: Store["append"] = (entry) => {
    return this.writing(touchedBy(entry), () => this.ledger.append(entry))
  }
  knock: Store["knock"] = (knock) => this.writing({ groups: [knock.groupId] }, () => this.ledger.knock(knock))
  changePolicy: Store["changePolicy"] = (change) => {
    return this.writing({ groups: [change.groupId] }, () => this.ledger.changePolicy(change))
  }
  publishKeyPackages: Store["publishKeyPackages"] = (publication) => {
    return this.writing({}, () => this.ledger.publishKeyPackages(publication))
  }
  claimKeyPackage: Store["claimKeyPackage"] = (claim) => {
    return this.writing({ devices: [claim.deviceId] }, () => this.ledger.claimKeyPackage(claim))
  }
  acknowledgeInbox: Store["acknowledgeInbox"] = (deviceId, upTo) => {
    return this.writing({}, () => this.ledger.acknowledgeInbox(deviceId, upTo))
  }
  identity: Store["identity"] = (made) => this.reading(() => this.ledger.identity(made))
  raiseIncarnation: Store["raiseIncarnation"] = (handover) => this.ledger.raiseIncarnation(handover)
  read: Store["read"] = (page) => this.reading(() => this.ledger.read(page))
  head: Store["head"] = (shown) => this.reading(() => this.ledger.head(shown))
  standing: Store["standing"] = (shown) => this.reading(() => this.ledger.standing(shown))
  standings: Store["standings"] = (shown) => this.reading(() => this.ledger.standings(shown))
  knocks: Store["knocks"] = (asked) => this.reading(() => this.ledger.knocks(asked))
  beside: Store["beside"] = (asked) => this.reading(() => this.ledger.beside(asked))
  answer: Store["answer"] = (asked) => this.reading(() => this.ledger.answer(asked))
  policy: Store["policy"] = (shown) => this.reading(() => this.ledger.policy(shown))
  countKeyPackages: Store["countKeyPackages"] = (device) => this.reading(() => this.ledger.countKeyPackages(device))
  inbox: Store["inbox"] = (page) => this.reading(() => this.ledger.inbox(page))
  inboxHead: Store["inboxHead"] = (deviceId) => this.reading(() => this.ledger.inboxHead(deviceId))
  news: Store["news"] = (mark) => this.reading(() => this.ledger.news(mark))
  sweep: Store["sweep"] = (horizons) => this.ledger.sweep(horizons)
  usage: Store["usage"] = () => this.ledger.usage()

  async [Symbol.asyncDispose](): Promise<void> {}
}

type NewEntry = Parameters<Store["append"]>[0]

export const touchedBy = ({ groupId, commit }: NewEntry): Touched => {
  return { groups: [groupId], devices: commit?.recipients ?? [] }
}

/** A store in memory: each operation is done at once. */
export class MemoryModel extends ModelStore {
  protected async reading<T>(what: () => Promise<T>): Promise<T> {
    this.session.require()
    return what()
  }

  protected async writing<T>(_: Touched, what: () => Promise<T>): Promise<T> {
    this.session.require()
    return what()
  }
}
