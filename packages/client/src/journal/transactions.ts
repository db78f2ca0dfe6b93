import { decode, encode } from "@conclave/codec"
import { hex } from "../bytes.js"
import { codeOf, faultOf, framesOf, ruleIn } from "../diagnostics/faults.js"
import { Log } from "../diagnostics/log.js"
import { ClientError } from "../errors.js"
import { type NewEvent, StoredEvent, type WholeEvent } from "../kinds/events.js"
import { Profile, recordKeys } from "../records/records.js"
import type { SealedStore } from "../store/sealed.js"
import { RecentEvents } from "./recent.js"
import { repetitionKey, type UnreadEvent, UnreadEvents } from "./unread.js"

/** A part of the memory that can be thrown away and read from the store again. */
export interface Reloadable {
  reload(): Promise<void>
  /** Called when what is in memory is what is stored: after a transaction on this part, and after a reload. */
  settled?(): void
}

/** So much is computed, one after the other, before it is written together. */
const TOGETHER_MAX = 64

interface Turn {
  readonly part: Reloadable | undefined
  /** `undefined`: the part is read from the store again. */
  readonly compute: ((transaction: Transaction) => unknown) | undefined
  resolve(result: unknown): void
  reject(error: unknown): void
}

/**
 * What the client stores. Each change is computed in memory without pause; those that wait are computed one after the
 * other and written in one transaction. If it fails, nobody knows whether it happened: what they touched is reloaded
 * before anything else is done with it.
 */
export class Transactions {
  readonly #store: SealedStore
  readonly #log: Log
  readonly #observers = new Set<() => void>()
  readonly #broken = new Set<Reloadable>()
  readonly unread = new UnreadEvents()
  /** The events of completed transactions, as they are stored. */
  readonly recent = new RecentEvents()
  /** Whether the application is told of an event of a conversation (its id in hexadecimal). */
  isTold: (event: NewEvent, id: string) => boolean = () => true
  /** What every transaction may touch. */
  readonly #shared: Reloadable[]
  readonly #self: Reloadable = {
    reload: async () => {
      this.#profile = (await loadProfile(this.#store)) ?? this.#profile
    },
  }
  #profile: Profile
  #waiting: Turn[] = []
  #working: Promise<void> | undefined
  #closed = false

  constructor(store: SealedStore, profile: Profile, log = new Log()) {
    this.#store = store
    this.#log = log
    this.#profile = profile
    this.#shared = [this.#self]
  }

  /** A part that any transaction may touch: reloaded after each that fails. */
  share(part: Reloadable): void {
    this.#shared.push(part)
  }

  /** As of the last completed transaction. */
  get profile(): Profile {
    return this.#profile
  }

  /**
   * Runs after everything that was asked for before. `compute` must not pause; it may change `part` in memory, and must
   * leave `part` alone before its turn. Rejects with what `compute` throws, or with `STORE_FAILED`; nothing has changed
   * then.
   */
  run<T>(part: Reloadable | undefined, compute: (transaction: Transaction) => T): Promise<T> {
    return this.#wait(part, compute) as Promise<T>
  }

  /** Throws away what is in memory of `part`; what was asked for before is completed first. */
  async discard(part: Reloadable): Promise<void> {
    await this.#wait(part, undefined)
  }

  #wait(part: Reloadable | undefined, compute: Turn["compute"]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new ClientError("CLOSED", "the client is closed")
      this.#waiting.push({ part, compute, resolve, reject })
      this.#working ??= this.#work()
    })
  }

  observe(observer: () => void): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  notify(): void {
    for (const observer of [...this.#observers]) observer()
  }

  /** Completes what was asked for; everything after rejects with `CLOSED`. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#working
    this.notify()
  }

  async #work(): Promise<void> {
    // What is asked for in the same turn of the event loop belongs together.
    await undefined
    while (this.#waiting.length > 0) {
      const [first] = this.#waiting
      if (first?.compute === undefined) await this.#discard(this.#waiting.shift()!)
      else await this.#runTogether()
    }
    this.#working = undefined
  }

  async #discard({ part, resolve, reject }: Turn): Promise<void> {
    try {
      if (part !== undefined) await this.#reload(part)
      resolve(undefined)
    } catch (error) {
      reject(error)
    }
  }

  /** Computes what waits, up to the first that fails or is to be read again, and writes it. */
  async #runTogether(): Promise<void> {
    const done: { readonly turn: Turn; readonly result: unknown }[] = []
    const parts = new Set<Reloadable>()
    let failed: { readonly turn: Turn; readonly error: unknown } | undefined
    let transaction = new Transaction(this.#profile, this)
    try {
      for (const broken of [...this.#broken]) await this.#reload(broken)
      transaction = new Transaction(this.#profile, this)
    } catch (error) {
      failed = { turn: this.#waiting.shift()!, error }
    }
    while (failed === undefined && this.#waiting[0]?.compute !== undefined && done.length < TOGETHER_MAX) {
      const turn = this.#waiting.shift()!
      try {
        const part = new Transaction(transaction.profile, this, transaction)
        const result = turn.compute!(part)
        transaction.add(part)
        done.push({ turn, result })
        if (turn.part !== undefined) parts.add(turn.part)
      } catch (error) {
        failed = { turn, error }
      }
    }
    try {
      const begun = this.#log.elapsed()
      const written = await transaction.write(this.#store)
      if (written !== undefined) {
        const milliseconds = this.#log.elapsed() - begun
        this.#log.write("transaction", { ...written, events: transaction.events.size, milliseconds })
      }
      this.#complete(transaction, parts)
      for (const { turn, result } of done) turn.resolve(result)
    } catch (error) {
      this.#noteFailure(error)
      await this.#break(parts)
      for (const { turn } of done) turn.reject(error)
    }
    if (failed === undefined) return
    this.#noteFailure(failed.error)
    await this.#break(failed.turn.part === undefined ? [] : [failed.turn.part])
    failed.turn.reject(failed.error)
  }

  #complete(transaction: Transaction, parts: Iterable<Reloadable>): void {
    this.#profile = transaction.profile
    this.recent.add(transaction.events)
    for (const event of transaction.events.values()) this.#note(event)
    for (const part of parts) part.settled?.()
    for (const completion of transaction.completions) completion()
    this.notify()
  }

  async #break(parts: Iterable<Reloadable>): Promise<void> {
    // What was counted up in memory may be stored, or not.
    this.recent.clear()
    for (const part of [...this.#shared, ...parts]) this.#broken.add(part)
    await this.#mend()
  }

  #noteFailure(error: unknown): void {
    const frames = error instanceof ClientError ? undefined : framesOf(error)
    this.#log.write("transaction failed", { error: faultOf(error), frames })
  }

  #note(event: WholeEvent): void {
    const { type, conversation } = event
    this.#log.write("event", {
      event: type,
      conversation,
      person: type === "keyChanged" ? event.name : undefined,
      code: type === "rejected" || type === "failed" ? codeOf(event.code) : undefined,
      rule: type === "rejected" ? ruleIn(event.reason) : undefined,
      wish: type === "failed" ? event.wish : undefined,
    })
  }

  /** The store may still be failing: then the next transaction tries again. */
  async #mend(): Promise<void> {
    try {
      for (const broken of [...this.#broken]) await this.#reload(broken)
    } catch {
      // Reported by the transaction that failed.
    }
  }

  async #reload(part: Reloadable): Promise<void> {
    this.#broken.add(part)
    await part.reload()
    part.settled?.()
    this.#broken.delete(part)
  }
}

/** How events are told. */
interface Telling {
  readonly unread: UnreadEvents
  readonly isTold: (event: NewEvent, id: string) => boolean
}

export interface Written {
  readonly puts: number
  readonly deletes: number
  readonly size: number
}

/** What is written together. */
export class Transaction {
  readonly completions: (() => void)[] = []
  /** By their numbers. */
  readonly events = new Map<number, WholeEvent>()
  profile: Profile
  readonly #kept = new Set<string>()
  readonly #acknowledged = new Set<number>()
  readonly #put = new Map<string, Uint8Array>()
  readonly #delete = new Set<string>()
  readonly #deleteUnder: { readonly prefix: string; readonly after: string }[] = []
  readonly #before: Profile
  readonly #telling: Telling
  readonly #repeatable = new Map<string, UnreadEvent>()
  /** What is written in the same transaction before this. */
  readonly #earlier: Transaction | undefined

  constructor(
    profile: Profile,
    telling: Telling = { unread: new UnreadEvents(), isTold: () => true },
    earlier?: Transaction,
  ) {
    this.profile = profile
    this.#before = profile
    this.#telling = telling
    this.#earlier = earlier
  }

  /** Takes what `later` writes, which has been computed after this. */
  add(later: Transaction): void {
    for (const { prefix, after } of later.#deleteUnder) this.deleteUnder(prefix, after)
    for (const key of later.#delete) this.delete(key)
    for (const [key, record] of later.#put) this.put(key, record)
    for (const key of later.#kept) this.#kept.add(key)
    for (const number of later.#acknowledged) this.events.delete(number)
    for (const [number, event] of later.events) this.events.set(number, event)
    for (const [key, written] of later.#repeatable) this.#repeatable.set(key, written)
    this.completions.push(...later.completions)
    this.profile = later.profile
  }

  put(key: string, record: Uint8Array): void {
    this.#delete.delete(key)
    this.#put.set(key, record)
  }

  delete(key: string): void {
    this.#put.delete(key)
    this.#delete.add(key)
  }

  /** Deletes every record whose key begins with `prefix` and comes after `after`, but those that are put after this. */
  deleteUnder(prefix: string, after = ""): void {
    for (const key of [...this.#put.keys()]) if (key.startsWith(prefix) && key > after) this.#put.delete(key)
    this.#deleteUnder.push({ prefix, after })
  }

  /** The record of a message, which an earlier transaction has put under `key`, stays: an event of it can refer to it. */
  keep(key: string): void {
    this.#kept.add(key)
  }

  /** What is told already, and not read yet, is no event of its own: a `rejected` is counted there. */
  emit(event: NewEvent): void {
    if (event.conversation !== undefined && !this.#telling.isTold(event, hex(event.conversation))) return
    const key = repetitionKey(event)
    const { unread } = this.#telling
    const latest = key === undefined ? undefined : (this.#repeated(key) ?? unread.find(key))
    const known = latest !== undefined && unread.isRead(latest.number) ? undefined : latest
    const written = known === undefined ? this.#first(event) : { ...known, event: oneMore(known.event) }
    this.events.set(written.number, written.event)
    if (key === undefined) return
    this.#repeatable.set(key, written)
    this.after(() => unread.keep(key, written))
  }

  #repeated(key: string): UnreadEvent | undefined {
    const known = this.#repeatable.get(key)
    return known !== undefined || this.#earlier === undefined ? known : this.#earlier.#repeated(key)
  }

  #first(event: NewEvent): UnreadEvent {
    const number = Number(this.profile.nextEvent)
    this.profile = { ...this.profile, nextEvent: this.profile.nextEvent + 1n }
    return { number, event: event.type === "rejected" ? { ...event, count: 1 } : event }
  }

  /** Deletes an event, also one that was counted up before and is to be written together with this. */
  acknowledge(number: number): void {
    this.#acknowledged.add(number)
    this.delete(recordKeys.event(number))
  }

  /** Called after the transaction, if it succeeds. */
  after(completion: () => void): void {
    this.completions.push(completion)
  }

  /** Resolves with how much was written; `size` in bytes, keys not counted. */
  async write(store: SealedStore): Promise<Written | undefined> {
    for (const [number, event] of this.events) {
      this.put(recordKeys.event(number), encode(StoredEvent, this.#recordOf(event)))
    }
    if (this.profile !== this.#before) this.put(recordKeys.profile, encode(Profile, this.profile))
    for (const { prefix, after } of this.#deleteUnder) {
      for (const key of await store.keys(prefix)) if (key > after && !this.#put.has(key)) this.#delete.add(key)
    }
    if (this.#put.size + this.#delete.size === 0) return
    await store.transaction({ put: this.#put, delete: this.#delete })
    let size = 0
    for (const record of this.#put.values()) size += record.length
    return { puts: this.#put.size, deletes: this.#delete.size, size }
  }

  /** The payload of a message whose record is kept is stored there alone. */
  #recordOf(event: WholeEvent): StoredEvent {
    if (event.type !== "message" && event.type !== "sent") return event
    const { conversation, seq } = event
    const key = recordKeys.message(hex(conversation), Number(seq))
    const isKept = this.#put.has(key) || (this.#kept.has(key) && !this.#delete.has(key))
    return isKept ? { type: "keptMessage", conversation, seq } : event
  }
}

const COUNT_MAX = 0xffff_ffff

function oneMore(event: WholeEvent): WholeEvent {
  return event.type === "rejected" ? { ...event, count: Math.min(COUNT_MAX, event.count + 1) } : event
}

export async function loadProfile(store: SealedStore): Promise<Profile | undefined> {
  const record = await store.get(recordKeys.profile)
  return record === undefined ? undefined : decode(Profile, record)
}
