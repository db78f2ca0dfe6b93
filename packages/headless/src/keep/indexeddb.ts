/// <reference lib="dom" />
import type { Keep } from "./keep.js"

export interface IndexedDbKeepOptions {
  /** The database's name within the origin; default `conclave-page`, in which the page of Conclave keeps. */
  readonly database?: string
}

/**
 * Records in the browser's database, each sealed (AES-256-GCM, with the key of the record as additional data) under a key
 * that scripts cannot read out: copies of the records are of no use without the browser. Of what a record says, its kind and
 * the id in its key stay readable.
 */
export async function indexedDbKeep(profile: string, options: IndexedDbKeepOptions = {}): Promise<Keep> {
  const database = await openDatabase(options.database ?? "conclave-page")
  try {
    const key = await sealingKey(database, profile)
    return new IndexedDbKeep(database, profile, key)
  } catch (error) {
    database.close()
    throw error
  }
}

/** Records have the key `[profile, key]`: no name of a profile can be a part of another one's. */
const STORE = "page"
const NONCE_SIZE = 12
/** What the page kept in one record before there was a record for each thing. It has no additional data. */
const EARLIER = "memory"

class IndexedDbKeep implements Keep {
  readonly #database: IDBDatabase
  readonly #profile: string
  readonly #key: CryptoKey

  constructor(database: IDBDatabase, profile: string, key: CryptoKey) {
    this.#database = database
    this.#profile = profile
    this.#key = key
  }

  async read(): Promise<ReadonlyMap<string, string>> {
    const store = this.#database.transaction(STORE).objectStore(STORE)
    // An array comes after every string.
    const range = IDBKeyRange.bound([this.#profile, ""], [this.#profile, []])
    const [keys, values, earlier] = await Promise.all([
      outcome(store.getAllKeys(range)),
      outcome(store.getAll(range)),
      outcome(store.get(this.#place(EARLIER))),
    ])
    const sealed = keys.map((place, at) => [(place as string[])[1]!, values[at]] as const)
    return this.#opened(earlier === undefined ? sealed : [...sealed, [EARLIER, earlier]])
  }

  async get(keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const store = this.#database.transaction(STORE).objectStore(STORE)
    const values = await Promise.all(keys.map((key) => outcome(store.get(this.#place(key)))))
    return this.#opened(keys.map((key, at) => [key, values[at]] as const))
  }

  async write(changes: ReadonlyMap<string, string | undefined>): Promise<void> {
    // A transaction ends as soon as nothing is asked of it: everything is sealed before it begins.
    const sealed = await Promise.all(
      [...changes].map(async ([key, value]) => [key, value === undefined ? undefined : await this.#seal(key, value)]),
    )
    await new Promise<void>((resolve, reject) => {
      const transaction = this.#database.transaction(STORE, "readwrite")
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(transaction.error)
      const store = transaction.objectStore(STORE)
      for (const [key, value] of sealed as [string, Uint8Array | undefined][]) {
        if (value === undefined) store.delete(this.#place(key))
        else store.put(value, this.#place(key))
      }
    })
  }

  async close(): Promise<void> {
    this.#database.close()
  }

  #place(key: string): IDBValidKey {
    return key === EARLIER ? `${EARLIER}/${this.#profile}` : [this.#profile, key]
  }

  async #opened(sealed: readonly (readonly [key: string, value: unknown])[]): Promise<ReadonlyMap<string, string>> {
    const opened = new Map<string, string>()
    for (const [key, value] of sealed) {
      const text = value instanceof Uint8Array ? await this.#open(key, value.slice()) : undefined
      if (text !== undefined) opened.set(key, text)
    }
    return opened
  }

  async #open(key: string, sealed: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
    try {
      const algorithm = this.#algorithm(key, sealed.subarray(0, NONCE_SIZE))
      const opened = await crypto.subtle.decrypt(algorithm, this.#key, sealed.subarray(NONCE_SIZE))
      return new TextDecoder().decode(opened)
    } catch {
      return undefined
    }
  }

  async #seal(key: string, value: string): Promise<Uint8Array> {
    const iv = crypto.getRandomValues(new Uint8Array(NONCE_SIZE))
    const content = new TextEncoder().encode(value)
    const ciphertext = new Uint8Array(await crypto.subtle.encrypt(this.#algorithm(key, iv), this.#key, content))
    const sealed = new Uint8Array(NONCE_SIZE + ciphertext.length)
    sealed.set(iv)
    sealed.set(ciphertext, NONCE_SIZE)
    return sealed
  }

  #algorithm(key: string, iv: Uint8Array<ArrayBuffer>): AesGcmParams {
    const common = { name: "AES-GCM", iv }
    return key === EARLIER ? common : { ...common, additionalData: new TextEncoder().encode(key) }
  }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const opening = indexedDB.open(name, 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
  return outcome(opening)
}

async function sealingKey(database: IDBDatabase, profile: string): Promise<CryptoKey> {
  const place = `key/${profile}`
  const find = () => outcome<CryptoKey | undefined>(database.transaction(STORE).objectStore(STORE).get(place))
  const known = await find()
  if (known !== undefined) return known
  const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"])
  // Another window may have been faster: the first one stays.
  await new Promise<void>((resolve, reject) => {
    const transaction = database.transaction(STORE, "readwrite", { durability: "strict" })
    const store = transaction.objectStore(STORE)
    const asked = store.getKey(place)
    asked.onsuccess = () => asked.result === undefined && store.add(made, place)
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
  })
  return (await find()) ?? made
}

function outcome<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
