/// <reference lib="dom" />
import { ClientError } from "../errors.js"
import type { ListOptions, Store, StoreChanges, StoreRecord } from "./store.js"

export interface IndexedDbStoreOptions {
  /** Wait until the tab that has the profile lets it go. Default: fail with `STORE_LOCKED`. */
  readonly wait?: boolean
  /** Ends the waiting. */
  readonly signal?: AbortSignal
}

/**
 * A profile in the browser's IndexedDB, written with `durability: "strict"`. The tab that has it holds a Web Lock: the
 * browser gives it back when the tab is gone, so one tab at a time writes.
 */
export async function indexedDbStore(profile: string, options: IndexedDbStoreOptions = {}): Promise<Store> {
  const lock = await takeLock(`conclave/${profile}`, options)
  try {
    const database = await openDatabase(`conclave/${profile}`)
    return new IndexedDbStore(database, lock)
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
    const over = holding.then(
      () => {},
      () => {},
    )
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

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore("record")
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error)
    opening.onblocked = () => reject(new Error("an older connection keeps the database"))
  })
}

class IndexedDbStore implements Store {
  readonly lost: Promise<Error>
  readonly #database: IDBDatabase
  readonly #lock: HeldLock
  #closed = false

  constructor(database: IDBDatabase, lock: HeldLock) {
    this.#database = database
    this.#lock = lock
    const gone = new Promise<Error>((resolve) => {
      database.onclose = () => resolve(new ClientError("STORE_FAILED", "the browser has closed the database"))
      database.onversionchange = () => {
        resolve(new ClientError("STORE_FAILED", "the database is being deleted"))
        this.#close()
      }
    })
    this.lost = Promise.race([gone, lock.stolen])
    lock.stolen.then(() => this.#close())
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#read((records) => records.get(key))
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly StoreRecord[]> {
    const end = `${prefix}\u007f`
    const before = options.before !== undefined && options.before < end ? options.before : end
    if (before <= prefix || options.limit === 0) return []
    const range = IDBKeyRange.bound(prefix, before, false, true)
    if (options.reverse === true) return this.#listBackwards(range, options.limit)
    const transaction = this.#transaction("readonly")
    const records = transaction.objectStore("record")
    const [keys, values] = await Promise.all([
      outcome(records.getAllKeys(range, options.limit)),
      outcome(records.getAll(range, options.limit)),
    ])
    return keys.map((key, at) => [key as string, values[at] as Uint8Array])
  }

  async transaction(changes: StoreChanges): Promise<void> {
    const transaction = this.#transaction("readwrite")
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(failed(transaction.error))
      const records = transaction.objectStore("record")
      for (const key of changes.delete) records.delete(key)
      for (const [key, value] of changes.put) records.put(value, key)
      transaction.commit()
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

  async #listBackwards(range: IDBKeyRange, limit = Number.POSITIVE_INFINITY): Promise<readonly StoreRecord[]> {
    const found: StoreRecord[] = []
    const cursors = this.#transaction("readonly").objectStore("record").openCursor(range, "prev")
    await new Promise<void>((resolve, reject) => {
      cursors.onerror = () => reject(failed(cursors.error))
      cursors.onsuccess = () => {
        const cursor = cursors.result
        if (cursor === null || found.length >= limit) return resolve()
        found.push([cursor.key as string, cursor.value])
        cursor.continue()
      }
    })
    return found
  }

  #read<T>(ask: (records: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    return outcome(ask(this.#transaction("readonly").objectStore("record")))
  }

  #transaction(mode: IDBTransactionMode): IDBTransaction {
    if (this.#closed) throw new ClientError("STORE_FAILED", "the store is closed")
    try {
      return this.#database.transaction("record", mode, { durability: "strict" })
    } catch (error) {
      throw failed(error)
    }
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
