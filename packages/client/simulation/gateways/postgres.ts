import { type Store, StoreUnavailable } from "@conclave/delivery"
import { hex } from "../provider.js"
import { type Database, ModelStore, type Session, type Touched, touchedBy } from "./model.js"

type News = Awaited<ReturnType<Store["news"]>>
type NewEntry = Parameters<Store["append"]>[0]
type Appended = Awaited<ReturnType<Store["append"]>>

/** What a transaction has touched, by its id. */
interface Note extends Touched {
  readonly transaction: bigint
}

/** What all sessions share: transaction ids, locks of rows, and the notes of `news`. */
export class PostgresServer {
  #next = 1n
  readonly #running = new Set<bigint>()
  readonly #locks = new Map<string, Promise<void>>()
  #notes: Note[] = []
  /** Which server it is: ids of the one before a failover mean nothing here. */
  #name = 0n

  begin(): bigint {
    const transaction = this.#next++
    this.#running.add(transaction)
    return transaction
  }

  /** Not once another server has taken over. */
  isRunning(transaction: bigint): boolean {
    return this.#running.has(transaction)
  }

  /** What is noted is seen from now on. */
  commit(transaction: bigint, touched: Touched): void {
    this.#running.delete(transaction)
    this.#notes.push({ ...touched, transaction })
  }

  end(transaction: bigint): void {
    this.#running.delete(transaction)
  }

  /** Waits for the locks of the rows, in one order everywhere. Returns what lets them go. */
  async lock(groups: readonly Uint8Array[] = []): Promise<() => void> {
    const held: (() => void)[] = []
    for (const row of [...new Set(groups.map(hex))].sort()) {
      const before = this.#locks.get(row)
      this.#locks.set(row, new Promise((resolve) => held.push(resolve)))
      await before
    }
    return () => {
      for (const release of held) release()
    }
  }

  /** A mark is a snapshot: which server, the next id, and those that were under way. */
  news(mark: readonly (bigint | string)[] | undefined): News {
    const now = [this.#name, this.#next, ...this.#running]
    const nothing = { mark: now, groups: [], devices: [], everything: false }
    if (mark === undefined) return nothing
    if (mark[0] !== this.#name) return { ...nothing, everything: true }
    const isNew = ({ transaction }: Note) => transaction >= BigInt(mark[1]!) || mark.includes(transaction, 2)
    const notes = this.#notes.filter(isNew)
    const ids = (of: (note: Note) => readonly Uint8Array[] | undefined) => [
      ...new Map(notes.flatMap((note) => of(note) ?? []).map((id) => [hex(id), id])).values(),
    ]
    return { ...nothing, groups: ids((it) => it.groups), devices: ids((it) => it.devices) }
  }

  /** Another server takes over. */
  failOver(): void {
    this.#name++
    this.#notes = []
    this.#running.clear()
  }
}

/** An append that waits for a transaction of its lane. */
interface Waiting {
  readonly entry: NewEntry
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: unknown) => void
}

interface Lane {
  waiting: Waiting[]
  isBusy: boolean
}

const LANES = 2
const BATCH_MAX = 256

/**
 * PostgreSQL as a store: a transaction takes its id and its locks, waits for its statements and its commit, and is done as a
 * whole in one moment. Appends are committed together, in lanes. A statement may be slow, the pool exhausted, the
 * connection cut; a transaction may fail for a reason that passes, or the answer of its commit may be lost.
 *
 * Not modelled: what a transaction sees of itself before its commit, deadlocks, partitions, sweeping, a replica that is read from.
 */
export class PostgresModel extends ModelStore {
  readonly #server: PostgresServer
  readonly #lanes: readonly Lane[] = Array.from({ length: LANES }, () => ({ waiting: [], isBusy: false }))

  constructor(database: Database, session: Session, server: PostgresServer) {
    super(database, session)
    this.#server = server
  }

  protected async reading<T>(what: () => Promise<T>): Promise<T> {
    await this.#statement()
    return what()
  }

  protected writing<T>(touched: Touched, what: () => Promise<T>): Promise<T> {
    return this.#transaction(touched, what)
  }

  override append: Store["append"] = (entry) => {
    const lane = this.#lanes[entry.groupId[0]! % LANES]!
    return new Promise<Appended>((resolve, reject) => {
      lane.waiting.push({ entry, resolve, reject })
      if (!lane.isBusy) void this.#empty(lane)
    })
  }

  override news: Store["news"] = (mark) => this.reading(async () => this.#server.news(mark))

  async #empty(lane: Lane): Promise<void> {
    lane.isBusy = true
    while (lane.waiting.length > 0) {
      // A commit with Welcomes ends its transaction.
      const end = lane.waiting.findIndex(({ entry }) => (entry.commit?.recipients.length ?? 0) > 0)
      const batch = lane.waiting.splice(0, end < 0 ? BATCH_MAX : end + 1)
      await this.#appendTogether(batch)
    }
    lane.isBusy = false
  }

  async #appendTogether(batch: readonly Waiting[]): Promise<void> {
    const touched = batch.map(({ entry }) => touchedBy(entry))
    const all = { groups: touched.flatMap((it) => it.groups ?? []), devices: touched.flatMap((it) => it.devices ?? []) }
    try {
      const answers = await this.#transaction(all, async () => {
        const appended: Appended[] = []
        for (const { entry } of batch) appended.push(await this.ledger.append(entry))
        return appended
      })
      for (const [at, { resolve }] of batch.entries()) resolve(answers[at]!)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  async #transaction<T>(touched: Touched, what: () => Promise<T>): Promise<T> {
    const { database, session } = this
    const { dice } = database
    await this.#statement()
    const transaction = this.#server.begin()
    const release = await this.#server.lock(touched.groups)
    try {
      await database.pause(this.#milliseconds() || dice.below(3), "a transaction waits for its statements")
      session.require()
      if (database.is("unknown") && dice.chance(20)) throw new StoreUnavailable("the transaction was rolled back")
      await database.pause(dice.below(3), "a transaction is committed")
      // The COMMIT has left: whether it arrives does not depend on the gateway any more.
      const isLost = session.isOver || (database.is("unknown") && dice.chance(40))
      const isWritten = this.#server.isRunning(transaction) && !(isLost && dice.chance(50))
      if (!isWritten) throw new StoreUnavailable(UNKNOWN)
      const done = await what()
      this.#server.commit(transaction, touched)
      if (isLost) throw new StoreUnavailable(UNKNOWN)
      return done
    } finally {
      this.#server.end(transaction)
      release()
    }
  }

  async #statement(): Promise<void> {
    const { database, session } = this
    session.require()
    if (database.is("exhausted") && database.dice.chance(50)) {
      await database.pause(database.dice.between(100, 2_000), "a request waits for a connection")
      if (database.dice.chance(50)) throw new StoreUnavailable("no connection is free")
    }
    await database.pause(this.#milliseconds(), "a statement is slow")
    session.require()
  }

  #milliseconds(): number {
    return this.database.is("slow") ? this.database.dice.below(600) : 0
  }
}

const UNKNOWN = "the answer of COMMIT is lost"
