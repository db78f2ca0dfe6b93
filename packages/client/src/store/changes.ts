/** Records to be written in one transaction, and removed with it. */
export interface Changes {
  put(key: string, record: Uint8Array): void
  delete(key: string): void
}
