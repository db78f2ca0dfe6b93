/**
 * What has changed in a group's stored state since it was last written down. A message touches a few records, a commit
 * a few for each level of the tree: nothing rewrites the whole group (records are named in `group/records.ts`).
 *
 * Until somebody takes the changes for the first time nothing is noted: there is no stored state to keep in step.
 */
export class Journal {
  #following = false
  readonly #puts = new Map<string, () => Uint8Array>()
  readonly #deletes = new Set<string>()

  /** `following`: the state as it is now is stored already. */
  constructor(following: boolean) {
    this.#following = following
  }

  /** `encode` is called when the changes are taken: several changes of a record cost one. */
  put(key: string, encode: () => Uint8Array): void {
    if (!this.#following) return
    this.#deletes.delete(key)
    this.#puts.set(key, encode)
  }

  delete(key: string): void {
    if (!this.#following) return
    this.#puts.delete(key)
    this.#deletes.add(key)
  }

  /** Everything there is at the first call (`all`), and what has changed since at each later one. */
  take(all: () => Iterable<readonly [string, Uint8Array]>): RecordChanges {
    if (!this.#following) {
      this.#following = true
      return { put: new Map(all()), delete: new Set() }
    }
    const put = new Map<string, Uint8Array>()
    for (const [key, encode] of this.#puts) put.set(key, encode())
    const changes = { put, delete: new Set(this.#deletes) }
    this.#puts.clear()
    this.#deletes.clear()
    return changes
  }
}

/** To be written in one transaction, together with whatever the operation that caused it returned. */
export interface RecordChanges {
  readonly put: ReadonlyMap<string, Uint8Array>
  readonly delete: ReadonlySet<string>
}
