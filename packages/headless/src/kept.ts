import type { Channel, Keep } from "./keep/keep.js"
import { FORMAT, migration } from "./migrations.js"
import {
  conversationKinds,
  fromText,
  furtherMark,
  partsOfKey,
  type ReadMark,
  type RecordKind,
  type RecordValues,
  recordKey,
  recordKinds,
  toText,
} from "./records.js"
import type { Timers } from "./timers.js"

export interface KeptOptions {
  readonly channel: Channel | undefined
  readonly timers: Timers
  /** Another window has changed something. */
  readonly onChange: () => void
  /** Something could not be stored: it is tried again together with the next change, or after a while. */
  readonly onFault: (error: unknown) => void
  /** Everything is stored that was put before. */
  readonly onStored: () => void
}

/** Where there was no room there may be some by then. */
const RETRY_MILLISECONDS = 5_000

/**
 * The records in memory, and the way in which they get into the {@link Keep}: values are replaced and never changed; what
 * is put in one turn is written in one transaction.
 */
export class Kept {
  readonly #keep: Keep
  readonly #options: KeptOptions
  readonly #values = new Map<string, Map<string, unknown>>()
  /** Keys of what is not stored yet. */
  #dirty = new Set<string>()
  #writing: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #later: (() => void) | undefined
  #isClosed = false
  readonly #stopListening: () => void

  private constructor(keep: Keep, options: KeptOptions) {
    this.#keep = keep
    this.#options = options
    this.#stopListening = options.channel?.listen((keys) => void this.#reread(keys)) ?? (() => {})
  }

  /** @throws {NewerRecordsError} for records of a later version; and what the keep throws */
  static async open(keep: Keep, options: KeptOptions): Promise<Kept> {
    const records = new Map(await keep.read())
    const changes = migration(records)
    if (changes.size > 0) await keep.write(changes)
    for (const [key, text] of changes) {
      if (text === undefined) records.delete(key)
      else records.set(key, text)
    }
    const kept = new Kept(keep, options)
    for (const [key, text] of records) kept.#take(key, text)
    return kept
  }

  get<K extends RecordKind>(kind: K, id: string): RecordValues[K] | undefined {
    return this.#values.get(kind)?.get(id) as RecordValues[K] | undefined
  }

  all<K extends RecordKind>(kind: K): ReadonlyMap<string, RecordValues[K]> {
    return (this.#values.get(kind) ?? new Map()) as ReadonlyMap<string, RecordValues[K]>
  }

  /** Conversations of which something is kept. */
  conversations(): ReadonlySet<string> {
    return new Set(conversationKinds.flatMap((kind) => [...this.all(kind).keys()]))
  }

  /** `undefined` deletes. It is written after this turn, or so much later: others that are put until then go with it. */
  put<K extends RecordKind>(kind: K, id: string, value: RecordValues[K] | undefined, laterMilliseconds = 0): void {
    const values = this.#values.get(kind) ?? new Map<string, unknown>()
    this.#values.set(kind, values)
    if (value === undefined && !values.has(id)) return
    if (value === undefined) values.delete(id)
    else values.set(id, value)
    this.#dirty.add(recordKey(kind, id))
    if (laterMilliseconds === 0) return void this.flush().catch(() => {})
    this.#flushAfter(laterMilliseconds)
  }

  forget(conversation: string): void {
    for (const kind of conversationKinds) this.put(kind, conversation, undefined)
  }

  /** Resolves when all that was put before the call is stored; rejects where it could not be. */
  flush(): Promise<void> {
    // However many ask while one write is under way, one more is enough.
    this.#next ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        this.#writing = this.#write()
        return this.#writing
      })
    return this.#next
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#later?.()
    this.#stopListening()
    try {
      await this.flush()
    } finally {
      this.#options.channel?.close()
      await this.#keep.close()
    }
  }

  async #write(): Promise<void> {
    if (this.#dirty.size === 0) return
    const keys = this.#dirty
    this.#dirty = new Set()
    try {
      await this.#keep.write(new Map([...keys].map((key) => [key, this.#textOf(key)])))
    } catch (error) {
      this.#dirty = new Set([...keys, ...this.#dirty])
      this.#options.onFault(error)
      this.#flushAfter(RETRY_MILLISECONDS)
      throw error
    }
    this.#options.onStored()
    this.#options.channel?.post([...keys])
  }

  #flushAfter(milliseconds: number): void {
    if (this.#isClosed) return
    this.#later ??= this.#options.timers.after(milliseconds, () => {
      this.#later = undefined
      this.flush().catch(() => {})
    })
  }

  #textOf(key: string): string | undefined {
    const [kind, id] = partsOfKey(key)
    const value = this.#values.get(kind)?.get(id)
    return value === undefined ? undefined : toText(value)
  }

  /** What another window has stored. What has been changed here meanwhile is written over it. */
  async #reread(posted: readonly string[]): Promise<void> {
    const keys = posted.filter((key) => key !== FORMAT && recordKinds.has(partsOfKey(key)[0]))
    if (keys.length === 0) return
    try {
      const records = await this.#keep.get(keys)
      for (const key of keys) {
        if (partsOfKey(key)[0] === "read" && records.has(key)) this.#takeFurther(key, records.get(key)!)
        else if (!this.#dirty.has(key)) this.#take(key, records.get(key))
      }
      this.#options.onChange()
    } catch (error) {
      this.#options.onFault(error)
    }
  }

  #take(key: string, text: string | undefined): void {
    const [kind, id] = partsOfKey(key)
    if (!recordKinds.has(kind)) return
    const values = this.#values.get(kind) ?? new Map<string, unknown>()
    this.#values.set(kind, values)
    const value = text === undefined ? undefined : valueIn(text)
    if (value === undefined) values.delete(id)
    else values.set(id, value)
  }

  /** What both have read is read: where one has written over the other, it is written once more. */
  #takeFurther(key: string, text: string): void {
    const [, id] = partsOfKey(key)
    const theirs = valueIn(text) as ReadMark | undefined
    const own = this.get("read", id)
    const further = theirs === undefined || own === undefined ? (theirs ?? own) : furtherMark(own, theirs)
    if (further === undefined) return
    if (further.count !== theirs?.count || further.upTo !== theirs.upTo) this.put("read", id, further)
    else this.#take(key, text)
  }
}

/** `undefined` for what is damaged. */
function valueIn(text: string): unknown {
  try {
    return fromText(text)
  } catch {
    return undefined
  }
}
