import type { Channel, Keep } from "./keep.js"

/** The records of one profile in memory; what {@link memoryKeep} opens, again and again, as a database would be. */
export class MemoryRecords {
  readonly records = new Map<string, string>()
  readonly windows = new Set<(keys: readonly string[]) => void>()
}

/** A keep that ends with the process: for tests, and for guests who leave no trace. */
export function memoryKeep({ records }: MemoryRecords = new MemoryRecords()): Keep {
  return {
    async read() {
      return new Map(records)
    },
    async get(keys) {
      return new Map(keys.flatMap((key) => (records.has(key) ? [[key, records.get(key)!] as const] : [])))
    },
    async write(changes) {
      for (const [key, value] of changes) {
        if (value === undefined) records.delete(key)
        else records.set(key, value)
      }
    },
    async close() {},
  }
}

/** What `BroadcastChannel` is between windows, between those who share `records` in one process. */
export function memoryChannel({ windows }: MemoryRecords): Channel {
  const own = new Set<(keys: readonly string[]) => void>()
  return {
    post(keys) {
      for (const listener of [...windows]) if (!own.has(listener)) queueMicrotask(() => listener([...keys]))
    },
    listen(listener) {
      own.add(listener)
      windows.add(listener)
      return () => {
        windows.delete(listener)
        own.delete(listener)
      }
    },
    close() {
      for (const listener of own) windows.delete(listener)
      own.clear()
    },
  }
}
