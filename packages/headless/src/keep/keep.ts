/**
 * Where what is the view's own is kept: read marks, drafts, mutes, alerts, blocked people. Records of text by key, of one
 * profile. Keys contain names that people have chosen, such as `constructor` or `a/b`: they are never names of properties,
 * paths or parts of another key.
 */
export interface Keep {
  /** Every record. One that cannot be read, because it was damaged, is left out. */
  read(): Promise<ReadonlyMap<string, string>>
  /** The records of these keys, as they are now; without those that are not there. */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** All changes or none; `undefined` deletes. Resolves when they are stored, and rejects where nothing has changed. */
  write(changes: ReadonlyMap<string, string | undefined>): Promise<void>
  close(): Promise<void>
}

/** How windows that share a {@link Keep} tell each other what they have written. What is posted reaches the others only. */
export interface Channel {
  /** `keys`: of records that have been stored. */
  post(keys: readonly string[]): void
  /** Returns a function that stops it. */
  listen(listener: (keys: readonly string[]) => void): () => void
  close(): void
}
