/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Where a client keeps its records: keys are short ASCII strings, values are sealed bytes. A step of the client is one
 * transaction; after it has resolved, a power failure does not undo it.
 *
 * Opening takes the profile for itself alone and fails closed with `ClientError` `STORE_LOCKED`. Every other failure
 * rejects with `STORE_FAILED`; the transaction has then happened altogether or not at all, and the client reloads.
 */
export interface Store extends AsyncDisposable {
  get(key: string): Promise<Uint8Array | undefined>
  /** The records whose keys start with `prefix`, in the order of their keys' bytes; at most `limit` from either end. */
  list(prefix: string, options?: ListOptions): Promise<readonly StoreRecord[]>
  /** All or nothing, durable when resolved. The client never starts a second one before the first has ended. */
  transaction(changes: StoreChanges): Promise<void>
  /** Resolves when the store was taken away (another tab took it over, the disk is gone): the client must stop. */
  readonly lost: Promise<Error>
  [Symbol.asyncDispose](): Promise<void>
}

export type StoreRecord = readonly [key: string, value: Uint8Array]

export interface ListOptions {
  readonly limit?: number
  /** From the end. */
  readonly reverse?: boolean
  /** Only keys before this one. */
  readonly before?: string
}

/** A key is in at most one of the two. */
export interface StoreChanges {
  readonly put: ReadonlyMap<string, Uint8Array>
  readonly delete: ReadonlySet<string>
}
