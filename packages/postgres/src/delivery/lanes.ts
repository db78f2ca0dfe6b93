import type { Sha256 } from "@conclave/contracts/log-chain"
import { type Appended, type NewEntry, StoreUnavailable } from "@conclave/delivery/store"
import type { Database } from "../database.js"
import { failureCode } from "../failures.js"
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
  readonly size: number
  resolve(value: Appended): void
  reject(error: unknown): void
}

interface Lane {
  readonly queue: Waiting[]
  /** So many of its next batches are appended with locks at once. */
  locked: number
  draining: Promise<void> | undefined
}

interface LanesOptions {
  readonly database: Database
  readonly partitions: Partitions
  readonly sha256: Sha256
  /** Is told of each transaction, by its number of entries. */
  readonly onBatch: (entries: number) => void
}

/**
 * Appending, many entries to a transaction: whatever arrives while a lane's last transaction is under way shares its next
 * one. All entries of a group go through the same lane, in the order in which they came.
 */
export class Lanes {
  readonly #options: LanesOptions
  readonly #lanes: readonly Lane[]
  #waiting = 0
  #waitingSize = 0

  constructor(options: LanesOptions) {
    this.#options = options
    this.#lanes = Array.from(
      { length: options.database.lanes },
      (): Lane => ({ queue: [], locked: 0, draining: undefined }),
    )
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
    const lane = this.#lanes[laneOf(entry.groupId, this.#lanes.length)]!
    return new Promise((resolve, reject) => {
      lane.queue.push({ entry, size, admit: admittingOnce(entry), mayDeliver: new Map(), resolve, reject })
      lane.draining ??= this.#drain(lane)
    })
  }

  /** Resolves when nothing waits. */
  async settled(): Promise<void> {
    await Promise.all(this.#lanes.map(({ draining }) => draining))
  }

  async #drain(lane: Lane): Promise<void> {
    while (lane.queue.length > 0) {
      // What else has arrived in this turn of the event loop joins in.
      await new Promise((resolve) => setImmediate(resolve))
      const batch = batchOf(lane.queue)
      this.#options.onBatch(batch.length)
      await this.#run(await this.#unsettled(lane, batch))
      for (const { size } of batch) {
        this.#waiting--
        this.#waitingSize -= size
      }
    }
    lane.draining = undefined
  }

  /** What could not be appended without locks. Where others write to the same groups all the time, that is not tried. */
  async #unsettled(lane: Lane, batch: readonly Waiting[]): Promise<readonly Waiting[]> {
    if (lane.locked > 0) {
      lane.locked--
      return batch
    }
    const { database, partitions, sha256 } = this.#options
    try {
      const times = batch.filter(({ entry }) => entry.kind === "application").map(({ entry }) => entry.at)
      if (!partitions.has(times)) await partitions.make(times)
      const { settled, rest, conflicts } = await database.free((connection) => appendFree(connection, batch, sha256))
      for (const { work, settled: it } of settled) settle(work, it)
      if (conflicts * 2 > batch.length) lane.locked = LOCKED_BATCHES
      return rest
    } catch (error) {
      // Nothing was written. What is in the way here is not in the way of appending with locks.
      if (isOfOthers(error)) return batch
      if (isOfDatabase(error) || batch.length === 1) {
        for (const { reject } of batch) reject(error)
        return []
      }
      // A statement that fails is not tried with locks, which would hide that it does: whose entry it fails for is told of it.
      const rest: Waiting[] = []
      for (const waiting of batch) rest.push(...(await this.#unsettled(lane, [waiting])))
      return rest
    }
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    for (let rest = batch; rest.length > 0; ) rest = rest.slice(await this.#attempt(rest))
  }

  /** Returns how many of the first are settled; never rejects. */
  async #attempt(batch: readonly Waiting[]): Promise<number> {
    const progress = { hasGroups: false }
    try {
      const settled = await this.#write(batch, progress)
      for (const [index, it] of settled.entries()) settle(batch[index]!, it)
      return settled.length
    } catch (error) {
      const parts = partsOf(batch, error, progress)
      if (parts.length > 1) for (const part of parts) await this.#run(part)
      else for (const { reject } of batch) reject(error)
      return batch.length
    }
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
/** After a batch most of which others were in the way of. */
const LOCKED_BATCHES = 8

function settle({ resolve, reject }: Waiting, settled: Settled): void {
  if ("error" in settled) reject(settled.error)
  else resolve(settled.value)
}

const LOCKED = "55P03"

/** A lock, another transaction, a partition that was dropped meanwhile, or two entries at once by the same idempotency id. */
const isOfOthers = (error: unknown) =>
  [LOCKED, "40001", "40P01", NO_PARTITION, "23505"].includes(failureCode(error) ?? "")

/** Whatever was asked would fail, or it may have been written: not for one of the entries alone. */
const isOfDatabase = (error: unknown) =>
  error instanceof StoreUnavailable && ![LOCKED, "40001", "40P01"].includes(failureCode(error) ?? "")

/** What is to be tried apart, as one of them has failed all. */
function partsOf(batch: readonly Waiting[], error: unknown, { hasGroups }: Batch["progress"]): Waiting[][] {
  const alone = () => batch.map((waiting) => [waiting])
  if (isOfDatabase(error)) return [[...batch]]
  if (failureCode(error) !== LOCKED) return alone()
  // The lock of a group is held against all of the group's entries.
  if (hasGroups) return alone()
  const byGroup = new Map<string, Waiting[]>()
  for (const waiting of batch) {
    const name = Buffer.from(waiting.entry.groupId).toString("hex")
    byGroup.set(name, [...(byGroup.get(name) ?? []), waiting])
  }
  return [...byGroup.values()]
}

function batchOf(queue: Waiting[]): Waiting[] {
  let [length, size] = [0, 0]
  for (const waiting of queue) {
    size += waiting.size
    if (length === BATCH_MAX || (length > 0 && size > BATCH_SIZE_MAX)) break
    length++
  }
  return queue.splice(0, length)
}

const sizeOf = ({ body, commit }: NewEntry) =>
  body.length + (commit === undefined ? 0 : commit.welcome.length + (commit.answers?.welcome.length ?? 0))

/** FNV-1a over an id, which its maker has chosen. */
function laneOf(groupId: Uint8Array, lanes: number): number {
  let hash = 0x811c9dc5
  for (const byte of groupId) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash % lanes
}
