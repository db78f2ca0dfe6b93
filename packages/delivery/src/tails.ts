import { encode } from "@conclave/codec"
import { DeliveryResponse, type Entry } from "@conclave/contracts/delivery"
import { keyIn, provedBefore, textOf } from "./access.js"
import { entriesOf } from "./groups.js"
import type { Identity } from "./identity.js"
import type { LogPage, Refused, Standing, Store } from "./store/store.js"
import { idOf } from "./topics.js"
import type { Wake, Watch } from "./wake.js"

export interface TailsOptions {
  readonly store: Store
  readonly wake: Wake
  /** Of a page, in entries and bytes. */
  readonly page: { readonly limit: number; readonly sizeMax: number }
  /** Bytes of bodies that all tails keep; default 64 MiB. */
  readonly sizeMax?: number
  /** Default 10,000. An empty one takes about 1 KiB. */
  readonly tailsMax?: number
}

/** What is kept in memory of the ends of logs. */
export interface TailFigures {
  readonly tails: number
  /** Of bodies. */
  readonly bytes: number
  /** Reads that were answered from memory since the start. */
  readonly hits: number
  /** Reads of logs that several follow which the store had to answer all the same. */
  readonly misses: number
}

/** Where a subscription reads on. */
export interface TailReading {
  /** A byte for each character; `undefined` for none. */
  readonly key: string | undefined
  readonly after: bigint
  readonly identity: Identity
}

/** As the store reads it; with the answer to a subscription, encoded where several share it. */
export interface TailPage extends LogPage {
  readonly response: DeliveryResponse | Uint8Array
}

/** Bytes of bodies of one tail: what a subscription may be behind before it reads from the store. */
const SIZE_MAX = 1024 * 1024
/** Of one tail. */
const KEYS_MAX = 1_000
/** A tail begins so many entries before the head, where the one that it begins for is further behind. */
const BEGUN_BEHIND = 64n

/**
 * The ends of the logs that several subscriptions of this process follow: what is new in a log is read from the store once,
 * and all who wait for it are served from memory, with one answer for all who have read as far. One that is further behind, or
 * has a key that does not reach the head, reads from the store as if there were no tails.
 */
export class Tails {
  readonly #options: TailsOptions
  /** The one that was used last is the last. */
  readonly #tails = new Map<string, Tail>()
  #size = 0
  #hits = 0
  #misses = 0

  constructor(options: TailsOptions) {
    this.#options = options
  }

  get figures(): TailFigures {
    return { tails: this.#tails.size, bytes: this.#size, hits: this.#hits, misses: this.#misses }
  }

  /** To be asked only after a hint: what is known without one may be old. The key has been proved before. */
  async read(topic: string, reading: TailReading): Promise<TailPage | Refused> {
    const tail = this.#tails.get(topic) ?? this.#begin(topic)
    if (tail === undefined) return this.readFromStore(topic, reading)
    this.#tails.delete(topic)
    this.#tails.set(topic, tail)
    const page = (await tail.update(reading)) ? tail.page(reading) : undefined
    this.#makeRoom()
    if (page !== undefined) {
      this.#hits++
      return page
    }
    this.#misses++
    const read = await this.readFromStore(topic, reading)
    if (read.type === "page") tail.learn(reading.key, read.standing)
    return read
  }

  /** One alone reads from the store once anyway. */
  #begin(topic: string): Tail | undefined {
    const { wake } = this.#options
    if (wake.watching(topic) < 2) return undefined
    const onSize = (change: number) => {
      this.#size += change
    }
    return new Tail(topic, { ...this.#options, onSize, onLeft: () => this.#end(topic) })
  }

  #end(topic: string): void {
    this.#tails.get(topic)?.end()
    this.#tails.delete(topic)
  }

  /** As if there were no tails. */
  async readFromStore(topic: string, { key, after, identity }: TailReading): Promise<TailPage | Refused> {
    const { store, page } = this.#options
    const groupId = idOf(topic)
    const read = await store.read({ groupId, key: keyIn(key), after, permit: provedBefore, ...page })
    return read.type === "page" ? { ...read, response: entriesOf(groupId, read, identity) } : read
  }

  #makeRoom(): void {
    const { sizeMax = 64 * 1024 * 1024, tailsMax = 10_000 } = this.#options
    for (const topic of this.#tails.keys()) {
      if (this.#size <= sizeMax && this.#tails.size <= tailsMax) return
      this.#end(topic)
    }
  }
}

interface TailOptions extends TailsOptions {
  /** Is told by how many bytes the tail has grown. */
  readonly onSize: (change: number) => void
  /** Nobody but the tail watches its topic. */
  readonly onLeft: () => void
}

/** What a key that reaches the head is to the group. */
type Place = Pick<Standing, "later" | "seq" | "formerSince">

class Tail {
  readonly #topic: string
  readonly #options: TailOptions
  readonly #watch: Watch
  #isStale = true
  #loading: Promise<boolean> | undefined
  /** Dense, up to the head. */
  #entries: Entry[] = []
  #size = 0
  #head: Pick<LogPage, "headSeq" | "oldestSeq"> & Pick<Standing, "lastCommitSeq" | "beside">
  /** Keys that reach the head. */
  readonly #places = new Map<string | undefined, Place>()
  /** By what was read before. */
  readonly #responses = new Map<bigint, Uint8Array>()

  constructor(topic: string, options: TailOptions) {
    this.#topic = topic
    this.#options = options
    this.#head = { headSeq: -1n, oldestSeq: 1n, lastCommitSeq: 0n, beside: 0n }
    this.#watch = options.wake.watch([topic], () => {
      this.#isStale = true
      if (options.wake.watching(topic) < 2) options.onLeft()
    })
  }

  end(): void {
    this.#watch.close()
    this.#resize(-this.#size)
  }

  /** Reads what is new, once for all that ask. Returns whether all is known that was there when this was called. */
  async update(reading: TailReading): Promise<boolean> {
    // It may have begun before the hint.
    if (this.#loading !== undefined) await this.#loading
    if (!this.#isStale) return true
    this.#loading ??= this.#load(reading).finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #load(reading: TailReading): Promise<boolean> {
    this.#isStale = false
    let isDone = false
    try {
      const read = await this.#readOn(reading)
      if (read === undefined) return false
      this.#takeOver(read, reading.key)
      isDone = true
      return true
    } finally {
      if (!isDone) this.#isStale = true
    }
  }

  /** The page that ends at the head, with all entries before it; `undefined` where the key does not reach the head. */
  async #readOn({ key, after: readBefore }: TailReading): Promise<LogPage | undefined> {
    const { store, page } = this.#options
    const isBegun = this.#head.headSeq >= 0n
    let after = isBegun ? this.#head.headSeq : readBefore
    let entries: Entry[] = []
    for (let first = true; ; first = false) {
      const read = await store.read({
        groupId: idOf(this.#topic),
        key: keyIn(key),
        after,
        permit: provedBefore,
        ...page,
      })
      if (read.type !== "page" || read.standing.reach !== undefined) return undefined
      entries.push(...read.entries)
      const end = entries.at(-1)?.seq ?? after
      if (end >= read.headSeq) return { ...read, entries }
      const isFar = first && end + BEGUN_BEHIND < read.headSeq
      after = isFar ? read.headSeq - BEGUN_BEHIND : end
      if (isFar || read.entries.length === 0) entries = []
      // Entries that were there are gone: half of the log was deleted just now.
      if (read.entries.length === 0 && !isFar) return undefined
    }
  }

  #takeOver({ entries, headSeq, oldestSeq, standing }: LogPage, key: string | undefined): void {
    const isDense = entries.length === 0 || entries[0]!.seq === this.#head.headSeq + 1n
    if (!isDense) this.#forget()
    for (const entry of entries) this.#add(entry)
    this.#head = { headSeq, oldestSeq, lastCommitSeq: standing.lastCommitSeq, beside: standing.beside }
    this.#responses.clear()
    this.learn(key, standing)
  }

  /** What came before a gap, and what it made of the keys. */
  #forget(): void {
    this.#entries = []
    this.#places.clear()
    this.#resize(-this.#size)
  }

  #add(entry: Entry): void {
    const { begins, seq, at } = entry
    if (begins !== undefined) {
      for (const [key, { later, seq: begun }] of this.#places) {
        if (begins.removes) this.#places.delete(key)
        else
          this.#places.set(key, { later: later === 0 ? 1 : 2, seq: begun, formerSince: later === 0 ? at : undefined })
      }
      this.#places.set(textOf(begins.accessKey), { later: 0, seq, formerSince: undefined })
    }
    this.#entries.push(entry)
    this.#resize(entry.body.length)
    let dropped = 0
    while (this.#size > SIZE_MAX) this.#resize(-this.#entries[dropped++]!.body.length)
    this.#entries.splice(0, dropped)
  }

  #resize(change: number): void {
    this.#size += change
    this.#options.onSize(change)
  }

  /** What a key was found to be to the group, as of the head that is known here. */
  learn(key: string | undefined, { later, seq, formerSince, reach, headSeq }: Standing): void {
    if (reach !== undefined || headSeq !== this.#head.headSeq) return
    if (this.#places.size >= KEYS_MAX) this.#places.clear()
    this.#places.set(key, { later, seq, formerSince })
  }

  /** `undefined` where the key does not reach the head, or what comes after `after` is not here any more. */
  page({ key, after, identity }: TailReading): TailPage | undefined {
    const place = this.#places.get(key)
    const first = this.#entries[0]?.seq ?? this.#head.headSeq + 1n
    if (place === undefined || after + 1n < first) return undefined
    const entries = this.#pageFrom(Number(after + 1n - first))
    const { oldestSeq, ...head } = this.#head
    return {
      type: "page",
      entries,
      headSeq: head.headSeq,
      oldestSeq,
      standing: { type: "standing", reach: undefined, ...place, ...head },
      response: this.#responseTo(after, entries, identity),
    }
  }

  #pageFrom(start: number): Entry[] {
    const { limit, sizeMax } = this.#options.page
    let [end, size] = [start, 0]
    for (; end < this.#entries.length && end - start < limit; end++) {
      size += this.#entries[end]!.body.length
      if (end > start && size > sizeMax) break
    }
    return this.#entries.slice(start, end)
  }

  #responseTo(after: bigint, entries: readonly Entry[], identity: Identity): Uint8Array {
    const known = this.#responses.get(after)
    if (known !== undefined) return known
    const { headSeq } = this.#head
    const response = encode(DeliveryResponse, entriesOf(idOf(this.#topic), { entries, headSeq }, identity))
    this.#responses.set(after, response)
    return response
  }
}
