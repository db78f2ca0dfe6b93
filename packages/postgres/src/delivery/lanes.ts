import type { Sha256 } from "@conclave/contracts/log-chain"
import { type Appended, type NewEntry, StoreUnavailable } from "@conclave/delivery/store"
import type { Database } from "../database.js"
import { failureCode } from "../failures.js"
import { bytesArray } from "../values.js"
import { appendTogether, type Batch, type Settled, type Work } from "./append.js"
import { appendFree } from "./append-free.js"
import type { Partitions } from "./partitions.js"
import { admittingOnce } from "./use.js"

/** Entries of one transaction: enough to share the cost of a commit, few enough to answer the first of them soon. */
const BATCH_MAX = 256
const BATCH_SIZE_MAX = 8 * 1024 * 1024
/** What waits in all lanes together. */
const QUEUE_MAX = 10_000
const QUEUE_SIZE_MAX = 64 * 1024 * 1024

interface Waiting extends Work {
  readonly lane: Lane
  readonly size: number
  settle(settled: Settled): void
}

/** What waits for one group, while there is something. */
interface Lane {
  /** Of the group. */
  readonly name: string
  readonly queue: Waiting[]
  /** What was taken from it last and is not settled: what comes after that waits. */
  underWay: number
}

interface LanesOptions {
  readonly database: Database
  readonly partitions: Partitions
  readonly sha256: Sha256
  /** Is told of each batch, by its number of entries. */
  readonly onBatch: (entries: number) => void
}

/**
 * Appending, many entries to a transaction: whatever arrives while the last one is under way shares the next. All entries of a
 * group go one after the other, in the order in which they came. One batch of all groups is appended without locks at a time, and
 * what it leaves is appended with locks beside the next.
 */
export class Lanes {
  readonly #options: LanesOptions
  readonly #lanes = new Map<string, Lane>()
  /** Something can be taken from these, the first of them first: without locks, or with locks at once. */
  readonly #ready = { free: new Set<Lane>(), locked: new Set<Lane>() }
  /** By group: so many of its next batches are appended with locks at once. */
  readonly #contended = new Map<string, number>()
  #isStirred = false
  #isAppending = false
  /** Batches to be appended with locks. */
  readonly #left: (readonly Waiting[])[] = []
  /** Of these, so many are under way. */
  #locking = 0
  #waiting = 0
  #waitingSize = 0
  readonly #idle: (() => void)[] = []

  constructor(options: LanesOptions) {
    this.#options = options
  }

  /** Entries that have been asked for and are not settled. */
  get waiting(): number {
    return this.#waiting
  }

  append(entry: NewEntry): Promise<Appended> {
    const size = sizeOf(entry)
    const isFull = this.#waiting > 0 && this.#waitingSize + size > QUEUE_SIZE_MAX
    if (this.#waiting >= QUEUE_MAX || isFull) {
      return Promise.reject(new StoreUnavailable("too much waits to be written"))
    }
    this.#waiting++
    this.#waitingSize += size
    const lane = this.#laneOf(entry.groupId)
    return new Promise((resolve, reject) => {
      const settle = (settled: Settled) => {
        if ("error" in settled) reject(settled.error)
        else resolve(settled.value)
        this.#settled(lane, size)
      }
      lane.queue.push({ entry, lane, size, admit: admittingOnce(entry), mayDeliver: new Map(), settle })
      if (lane.underWay === 0) this.#makeReady(lane)
    })
  }

  #laneOf(groupId: Uint8Array): Lane {
    const name = nameOf(groupId)
    const lane = this.#lanes.get(name) ?? { name, queue: [], underWay: 0 }
    this.#lanes.set(name, lane)
    return lane
  }

  #makeReady(lane: Lane): void {
    const { free, locked } = this.#ready
    ;(this.#contended.has(lane.name) ? locked : free).add(lane)
    this.#stir()
  }

  #settled(lane: Lane, size: number): void {
    this.#waiting--
    this.#waitingSize -= size
    if (--lane.underWay === 0) {
      if (lane.queue.length > 0) this.#makeReady(lane)
      else this.#lanes.delete(lane.name)
    }
    if (this.#waiting === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Resolves when nothing waits. */
  async settled(): Promise<void> {
    if (this.#waiting > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** What else arrives in this turn of the event loop joins in. */
  #stir(): void {
    if (this.#isStirred) return
    this.#isStirred = true
    setImmediate(() => {
      this.#isStirred = false
      this.#start()
    })
  }

  #start(): void {
    const { free, locked } = this.#ready
    // Without locks, appending keeps a connection for itself: nobody is in its way for long.
    const lockingMax = Math.max(1, this.#options.database.lanes - 1)
    if (!this.#isAppending) {
      // To try it without locks is better than to wait for those who have them.
      const batch = this.#take(this.#locking < lockingMax ? [free] : [free, locked])
      if (batch.length > 0) void this.#append(batch)
    }
    while (this.#locking < lockingMax) {
      const hot = this.#take([locked])
      if (hot.length > 0) {
        this.#options.onBatch(hot.length)
        for (const { name } of lanesOf(hot)) this.#countDown(name)
        this.#left.push(hot)
      }
      const batch = together(this.#left)
      if (batch.length === 0) return
      void this.#appendLocked(batch)
    }
  }

  /** From lanes in turn: who still waits afterwards is the last of them when it is settled. */
  #take(ready: readonly Set<Lane>[]): Waiting[] {
    const batch: Waiting[] = []
    let size = 0
    const isFull = (next: Waiting) =>
      batch.length === BATCH_MAX || (batch.length > 0 && size + next.size > BATCH_SIZE_MAX)
    for (const lane of ready.flatMap((lanes) => [...lanes])) {
      if (isFull(lane.queue[0]!)) break
      for (const lanes of ready) lanes.delete(lane)
      while (lane.queue.length > 0 && !isFull(lane.queue[0]!)) {
        const waiting = lane.queue.shift()!
        batch.push(waiting)
        size += waiting.size
        lane.underWay++
      }
    }
    return batch
  }

  #countDown(name: string): void {
    const left = (this.#contended.get(name) ?? 1) - 1
    if (left === 0) this.#contended.delete(name)
    else this.#contended.set(name, left)
  }

  #contend(name: string): void {
    this.#contended.set(name, LOCKED_BATCHES)
    // Who is forgotten is tried without locks, no more.
    for (const [oldest] of this.#contended) {
      if (this.#contended.size <= CONTENDED_MAX) return
      this.#contended.delete(oldest)
    }
  }

  async #append(batch: readonly Waiting[]): Promise<void> {
    this.#isAppending = true
    this.#options.onBatch(batch.length)
    const rest = await this.#unsettled(batch)
    if (rest.length > 0) this.#left.push(rest)
    this.#isAppending = false
    this.#stir()
  }

  async #appendLocked(batch: readonly Waiting[]): Promise<void> {
    this.#locking++
    await this.#run(batch)
    this.#locking--
    this.#stir()
  }

  /** What could not be appended without locks. Where others write to the same groups all the time, that is not tried next. */
  async #unsettled(batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    const { database, partitions, sha256 } = this.#options
    try {
      const times = batch.filter(({ entry }) => entry.kind === "application").map(({ entry }) => entry.at)
      if (!partitions.has(times)) await partitions.make(times)
      const { settled, rest, conflicting } = await database.free((connection) => appendFree(connection, batch, sha256))
      for (const { work, settled: it } of settled) work.settle(it)
      for (const lane of lanesOf(conflicting)) {
        const of = (works: readonly Waiting[]) => works.filter((it) => it.lane === lane).length
        if (of(conflicting) * 2 > of(batch)) this.#contend(lane.name)
      }
      return rest
    } catch (error) {
      // Nothing was written. What is in the way here is not in the way of appending with locks.
      if (isOfOthers(error)) return batch
      if (isOfDatabase(error) || batch.length === 1) {
        rejectAll(batch, error)
        return []
      }
      // A statement that fails is not tried with locks, which would hide that it does: whose entry it fails for is told of it.
      const rest: Waiting[] = []
      for (const waiting of batch) {
        // What comes after one that is left waits for it.
        const isBehind = rest.some(({ lane }) => lane === waiting.lane)
        rest.push(...(isBehind ? [waiting] : await this.#unsettled([waiting])))
      }
      return rest
    }
  }

  /** `parted`: so often what is held has been taken out of it. */
  async #run(batch: readonly Waiting[], parted = 0): Promise<void> {
    for (let rest = batch; rest.length > 0; ) rest = rest.slice(await this.#attempt(rest, parted))
  }

  /** Returns how many of the first are settled; never rejects. */
  async #attempt(batch: readonly Waiting[], parted: number): Promise<number> {
    const progress = { hasGroups: false }
    try {
      const settled = await this.#write(batch, progress)
      for (const [index, it] of settled.entries()) batch[index]!.settle(it)
      return settled.length
    } catch (error) {
      const isHeld = failureCode(error) === LOCKED && !progress.hasGroups
      if (isHeld && batch.length > 1 && parted < PARTED_MAX) await this.#runParted(batch, error, parted + 1)
      else if (isHeld || isOfDatabase(error) || batch.length === 1) rejectAll(batch, error)
      else for (const waiting of batch) await this.#run([waiting])
      return batch.length
    }
  }

  /** What is of groups that somebody holds has waited for them as long as it may, and has one more try after the others. */
  async #runParted(batch: readonly Waiting[], error: unknown, parted: number): Promise<void> {
    const free = await this.#freeOf(batch)
    if (free.size === 0) return rejectAll(batch, error)
    await this.#run(
      batch.filter(({ lane }) => free.has(lane.name)),
      parted,
    )
    await this.#run(
      batch.filter(({ lane }) => !free.has(lane.name)),
      PARTED_MAX,
    )
  }

  /** The names of groups that nobody holds; none where that cannot be told. */
  async #freeOf(batch: readonly Waiting[]): Promise<ReadonlySet<string>> {
    const ids = bytesArray(lanesOf(batch).map(({ name }) => Buffer.from(name, "latin1")))
    const sql = "SELECT id FROM mls_group WHERE id = ANY($1::bytea[]) FOR UPDATE SKIP LOCKED"
    const rows = await this.#options.database.look((connection) => connection.all(sql, [ids])).catch(() => [])
    return new Set(rows.map(({ id }) => nameOf(id)))
  }

  async #write(batch: readonly Waiting[], progress: Batch["progress"]): Promise<Settled[]> {
    const { database, partitions, sha256 } = this.#options
    for (let tried = 1; ; tried++) {
      const times = batch.filter(({ entry }) => entry.kind === "application").map(({ entry }) => entry.at)
      if (!partitions.has(times)) await partitions.make(times)
      try {
        return await database.write((connection) => appendTogether(connection, { works: batch, sha256, progress }), {
          lane: true,
        })
      } catch (error) {
        // Another gateway has dropped a partition, of what has expired by now.
        if (failureCode(error) !== NO_PARTITION || tried === 3) throw error
        partitions.forget()
      }
    }
  }
}

const NO_PARTITION = "23514"
/** After a batch in which others were in the way of most that a group had in it. */
const LOCKED_BATCHES = 8
/** Of so many groups that is known. */
const CONTENDED_MAX = 1_000

const LOCKED = "55P03"

/** A lock, another transaction, a partition that was dropped meanwhile, or two entries at once by the same idempotency id. */
const isOfOthers = (error: unknown) =>
  [LOCKED, "40001", "40P01", NO_PARTITION, "23505"].includes(failureCode(error) ?? "")

/** Whatever was asked would fail, or it may have been written: not for one of the entries alone. */
const isOfDatabase = (error: unknown) =>
  error instanceof StoreUnavailable && ![LOCKED, "40001", "40P01"].includes(failureCode(error) ?? "")

/** Others may be in the way of the rest. */
const PARTED_MAX = 3

function rejectAll(batch: readonly Waiting[], error: unknown): void {
  for (const { settle } of batch) settle({ error })
}

const nameOf = (groupId: Uint8Array) => Buffer.from(groupId).toString("latin1")

/** The first of these batches, as many as one transaction may have, and always one. */
function together(batches: (readonly Waiting[])[]): readonly Waiting[] {
  const batch: Waiting[] = [...(batches.shift() ?? [])]
  let size = sizeOfAll(batch)
  for (let next = batches[0]; next !== undefined; next = batches[0]) {
    size += sizeOfAll(next)
    if (batch.length + next.length > BATCH_MAX || size > BATCH_SIZE_MAX) break
    batch.push(...next)
    batches.shift()
  }
  return batch
}

const lanesOf = (batch: readonly Waiting[]) => [...new Set(batch.map(({ lane }) => lane))]
const sizeOfAll = (batch: readonly Waiting[]) => batch.reduce((sum, { size }) => sum + size, 0)

const sizeOf = ({ body, commit }: NewEntry) =>
  body.length + (commit === undefined ? 0 : commit.welcome.length + (commit.answers?.welcome.length ?? 0))
