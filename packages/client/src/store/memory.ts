import { ClientError } from "../errors.js"
import type { ListOptions, Store, StoreChanges, StoreRecord } from "./store.js"

/** The records of one profile in memory; what {@link memoryStore} opens, again and again, as a file would be. */
export class MemoryProfile {
  readonly records = new Map<string, Uint8Array>()
  /** Held by the open store. */
  open = false
}

/** A store that dies with the process: for tests, and for guests who leave no trace. */
export function memoryStore(profile: MemoryProfile = new MemoryProfile()): Store {
  if (profile.open) throw new ClientError("STORE_LOCKED", "the profile is open already")
  profile.open = true
  return new MemoryStore(profile)
}

class MemoryStore implements Store {
  readonly lost = new Promise<Error>(() => {})
  readonly #profile: MemoryProfile
  #closed = false

  constructor(profile: MemoryProfile) {
    this.#profile = profile
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#records().get(key)?.slice()
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly StoreRecord[]> {
    const { before } = options
    const keys = [...this.#records().keys()]
      .filter((key) => key.startsWith(prefix) && (before === undefined || key < before))
      .sort()
    if (options.reverse === true) keys.reverse()
    return keys.slice(0, options.limit).map((key) => [key, this.#records().get(key)!.slice()])
  }

  async transaction(changes: StoreChanges): Promise<void> {
    const records = this.#records()
    for (const key of changes.delete) records.delete(key)
    for (const [key, value] of changes.put) records.set(key, value.slice())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) this.#profile.open = false
    this.#closed = true
  }

  #records(): Map<string, Uint8Array> {
    if (this.#closed) throw new ClientError("STORE_FAILED", "the store is closed")
    return this.#profile.records
  }
}
