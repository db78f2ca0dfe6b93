/// <reference lib="dom" />
import { ClientError } from "../errors.js"
import { platformTimers } from "../timers.js"
import type { ListOptions, Store, StoreChanges, StoreRecord } from "./store.js"

export interface IndexedDbStoreOptions {
  /** Wait until the tab that has the profile lets it go. Default: fail with `STORE_LOCKED`. */
  readonly wait?: boolean
  /** Ends the waiting. */
  readonly signal?: AbortSignal
}

/**
 * A profile in the browser's IndexedDB, written with `durability: "strict"`. The tab that has it holds a Web Lock: the
 * browser gives it back when the tab is gone, so one tab at a time writes. A connection that the browser has closed is
 * opened once more; where that does not help, or the database is gone, `lost` says so.
 */
export async function indexedDbStore(profile: string, options: IndexedDbStoreOptions = {}): Promise<Store> {
  const name = `conclave/${profile}`
  const lock = await takeLock(name, options)
  try {
    return new IndexedDbStore(name, await openDatabase(name), lock)
  } catch (error) {
    lock.release()
    throw failed(error)
  }
}

/** By the lock's name, what this page has open, or asks for: each resolves when it is closed, or was refused. */
const openHere = new Map<string, Promise<void>>()
/** A component that is unmounted and mounted again opens its profile before it has closed it. */
const CLOSING_MILLISECONDS = 10_000

interface HeldLock {
  release(): void
  /** Resolves when another tab has stolen the lock. */
  readonly stolen: Promise<Error>
}

async function takeLock(name: string, options: IndexedDbStoreOptions): Promise<HeldLock> {
  for (let before = openHere.get(name); before !== undefined && !options.wait; before = openHere.get(name)) {
    await closed(before, options)
  }
  return requestLock(name, options)
}

/**
 * Waits until this page has closed what it has open.
 *
 * @throws {ClientError} `STORE_LOCKED` where it does not
 */
function closed(before: Promise<void>, { signal }: IndexedDbStoreOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const giveUp = () =>
      reject(new ClientError("STORE_LOCKED", "this page has the profile open: close that client first"))
    const timer = setTimeout(giveUp, CLOSING_MILLISECONDS)
    const abort = () => reject(signal!.reason)
    signal?.addEventListener("abort", abort)
    void before.then(resolve).finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener("abort", abort)
    })
  })
}

function requestLock(name: string, { wait = false, signal }: IndexedDbStoreOptions): Promise<HeldLock> {
  return new Promise((resolve, reject) => {
    let release = () => {}
    const released = new Promise<void>((done) => {
      release = done
    })
    const options: LockOptions = wait ? (signal === undefined ? {} : { signal }) : { ifAvailable: true }
    const holding = navigator.locks.request(name, options, (lock) => {
      if (lock === null) {
        reject(new ClientError("STORE_LOCKED", "another tab has this profile"))
        return undefined
      }
      resolve({ release, stolen })
      return released
    })
    // One that waits, and gives up, does not end what this page has open from before.
    const over = Promise.allSettled([openHere.get(name), holding]).then(() => {})
    openHere.set(name, over)
    void over.then(() => openHere.get(name) === over && openHere.delete(name))
    const stolen = new Promise<Error>((resolveStolen) => {
      holding.catch((error: unknown) => {
        resolveStolen(new ClientError("STORE_LOCKED", "another tab has taken this profile over", error))
        reject(error)
      })
    })
  })
}

function openDatabase(name: string, { isNew = true } = {}): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, 1)
    opening.onupgradeneeded = () => {
      // A profile that is gone must not be begun again with half of what is in memory.
      if (isNew) opening.result.createObjectStore(RECORDS)
      else opening.transaction?.abort()
    }
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error)
    opening.onblocked = () => reject(new Error("an older connection keeps the database"))
  })
}

const RECORDS = "record"
const REOPEN_MILLISECONDS_MAX = 10_000
/** A connection that stood for so long is no worse for having had nothing to do: systems close those of idle pages. */
const STEADY_MILLISECONDS = 10_000

class IndexedDbStore implements Store {
  readonly lost: Promise<Error>
  readonly #name: string
  readonly #lock: HeldLock
  #database: IDBDatabase
  #lose: (reason: Error) => void = () => {}
  #reopening: Promise<void> | undefined
  /** The connection that there is has read or written something. */
  #hasWorked = true
  #openedAt = platformTimers.elapsed()
  #closed = false

  constructor(name: string, database: IDBDatabase, lock: HeldLock) {
    this.#name = name
    this.#lock = lock
    this.#database = database
    this.#follow(database)
    const gone = new Promise<Error>((resolve) => {
      this.#lose = (reason) => {
        resolve(reason)
        this.#close()
      }
    })
    this.lost = Promise.race([gone, lock.stolen])
    lock.stolen.then(() => this.#close())
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#read((records) => outcome(records.get(key)))
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly StoreRecord[]> {
    const end = `${prefix}\u007f`
    const before = options.before !== undefined && options.before < end ? options.before : end
    if (before <= prefix || options.limit === 0) return []
    const range = IDBKeyRange.bound(prefix, before, false, true)
    if (options.reverse === true) return this.#listBackwards(range, options.limit)
    const [keys, values] = await this.#read((records) =>
      Promise.all([outcome(records.getAllKeys(range, options.limit)), outcome(records.getAll(range, options.limit))]),
    )
    return keys.map((key, at) => [key as string, values[at] as Uint8Array])
  }

  transaction(changes: StoreChanges): Promise<void> {
    return this.#run("readwrite", (transaction) => {
      const records = transaction.objectStore(RECORDS)
      for (const key of changes.delete) records.delete(key)
      for (const [key, value] of changes.put) records.put(value, key)
      transaction.commit()
      return new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve()
        transaction.onabort = () => reject(failed(transaction.error))
      })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#database.close()
    this.#lock.release()
  }

  #listBackwards(range: IDBKeyRange, limit = Number.POSITIVE_INFINITY): Promise<readonly StoreRecord[]> {
    return this.#read((records) => {
      const found: StoreRecord[] = []
      const cursors = records.openCursor(range, "prev")
      return new Promise((resolve, reject) => {
        cursors.onerror = () => reject(failed(cursors.error))
        cursors.onsuccess = () => {
          const cursor = cursors.result
          if (cursor === null || found.length >= limit) return resolve(found)
          found.push([cursor.key as string, cursor.value])
          cursor.continue()
        }
      })
    })
  }

  #read<T>(ask: (records: IDBObjectStore) => Promise<T>): Promise<T> {
    return this.#run("readonly", (transaction) => ask(transaction.objectStore(RECORDS)))
  }

  async #run<T>(mode: IDBTransactionMode, work: (transaction: IDBTransaction) => Promise<T>): Promise<T> {
    let running = this.#begin(mode, work)
    if (running === undefined) {
      await this.#reopen()
      running = this.#begin(mode, work)
    }
    if (running === undefined) throw this.#gone("the browser closes the database again and again")
    const result = await running
    this.#hasWorked = true
    return result
  }

  /** `undefined` where the connection has been closed: by the browser, as nobody else has it. */
  #begin<T>(mode: IDBTransactionMode, work: (transaction: IDBTransaction) => Promise<T>): Promise<T> | undefined {
    if (this.#closed) throw new ClientError("STORE_FAILED", "the store is closed")
    try {
      return work(this.#database.transaction(RECORDS, mode, { durability: "strict" }))
    } catch (error) {
      if (error instanceof DOMException && error.name === "InvalidStateError") return undefined
      throw failed(error)
    }
  }

  /** Once for all that wait. Rejects, and `lost` has been told, where it does not help. */
  #reopen(): Promise<void> {
    this.#reopening ??= this.#openAgain().finally(() => {
      this.#reopening = undefined
    })
    return this.#reopening
  }

  async #openAgain(): Promise<void> {
    const hasStood = platformTimers.elapsed() - this.#openedAt >= STEADY_MILLISECONDS
    if (!this.#hasWorked && !hasStood) throw this.#gone("the browser closes the database again and again")
    this.#hasWorked = false
    let isLate = false
    const opening = openDatabase(this.#name, { isNew: false })
    const late = new Promise<never>((_, reject) => {
      const cancel = platformTimers.after(REOPEN_MILLISECONDS_MAX, () => {
        isLate = true
        reject(new Error("the browser does not open it"))
      })
      opening.then(cancel, cancel)
    })
    opening.then(
      (database) => (isLate || this.#closed) && database.close(),
      () => {},
    )
    try {
      const database = await Promise.race([opening, late])
      if (this.#closed) throw new Error("the store is closed")
      this.#database = database
      this.#openedAt = platformTimers.elapsed()
      this.#follow(database)
    } catch (error) {
      throw this.#gone("the browser has closed the database", error)
    }
  }

  #follow(database: IDBDatabase): void {
    database.onclose = () => {
      // Whether there is another one is found out now, and not with the next message.
      if (database === this.#database && !this.#closed) this.#reopen().catch(() => {})
    }
    database.onversionchange = () => this.#gone("the database is being deleted")
  }

  #gone(why: string, cause?: unknown): ClientError {
    const reason = new ClientError("STORE_FAILED", why, cause)
    this.#lose(reason)
    return reason
  }
}

function outcome<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(failed(request.error))
  })
}

function failed(error: unknown): ClientError {
  if (error instanceof ClientError) return error
  return new ClientError("STORE_FAILED", `the browser's database failed: ${String(error)}`, error)
}
