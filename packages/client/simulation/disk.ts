import { ClientError } from "../src/errors.js"
import type { MemoryProfile } from "../src/store/memory.js"
import type { ListOptions, Store, StoreChanges, StoreRecord } from "../src/store/store.js"
import type { Life } from "./life.js"
import type { Dice } from "./random.js"
import type { Timeline } from "./timeline.js"
import type { Trace } from "./trace.js"

/** How the next transaction fails: nobody is told whether it happened. */
export interface DiskFailure {
  readonly isApplied: boolean
}

export interface DiskOptions {
  readonly name: string
  readonly profile: MemoryProfile
  readonly life: Life
  readonly timeline: Timeline
  readonly dice: Dice
  readonly trace: Trace
  /** How the transaction that begins now fails, if it does. */
  readonly failure: () => DiskFailure | undefined
  /** A transaction has begun; it has happened, or not. */
  readonly onBegin: () => void
  readonly onEnd: (isApplied: boolean) => void
}

/** What is left when the power fails is in the profile; all of it survives. */
export function simulatedDisk(options: DiskOptions): Store {
  return new SimulatedDisk(options)
}

class SimulatedDisk implements Store {
  readonly lost = new Promise<Error>(() => {})
  readonly #options: DiskOptions
  #isClosed = false

  constructor(options: DiskOptions) {
    this.#options = options
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.#requireOn()
    return this.#options.profile.records.get(key)?.slice()
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly StoreRecord[]> {
    this.#requireOn()
    return listed(this.#options.profile, prefix, options)
  }

  async transaction(changes: StoreChanges): Promise<void> {
    const { life, timeline, dice, failure, onBegin, onEnd, name } = this.#options
    this.#requireOn()
    onBegin()
    let isApplied = false
    try {
      life.point()
      await timeline.pause(dice.below(4), `${name}'s disk writes`)
      life.point()
      const failing = failure()
      if (failing?.isApplied !== false) {
        this.#apply(changes)
        isApplied = true
        onEnd(true)
      }
      if (failing !== undefined) throw new ClientError("STORE_FAILED", "the disk failed")
      life.point()
    } finally {
      if (!isApplied && !life.isOver) onEnd(false)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
  }

  #apply(changes: StoreChanges): void {
    const { profile, trace, timeline, name } = this.#options
    for (const key of changes.delete) {
      profile.records.delete(key)
      trace.note(timeline.elapsed, `${name} deletes ${key}`)
    }
    for (const [key, value] of changes.put) {
      profile.records.set(key, value.slice())
      trace.note(timeline.elapsed, `${name} stores ${key}`, value)
    }
  }

  #requireOn(): void {
    this.#options.life.requireOn()
    if (this.#isClosed) throw new ClientError("STORE_FAILED", "the store is closed")
  }
}

function listed(profile: MemoryProfile, prefix: string, { before, reverse, limit }: ListOptions): StoreRecord[] {
  const keys = [...profile.records.keys()].filter(
    (key) => key.startsWith(prefix) && (before === undefined || key < before),
  )
  keys.sort()
  if (reverse === true) keys.reverse()
  return keys.slice(0, limit).map((key) => [key, profile.records.get(key)!.slice()])
}

/** What is on the disk, for whoever looks at it from outside. */
export function onDisk(profile: MemoryProfile): Store {
  const refuse = () => Promise.reject(new TypeError("looking on changes nothing"))
  return {
    lost: new Promise<Error>(() => {}),
    get: async (key) => profile.records.get(key)?.slice(),
    list: async (prefix, options = {}) => listed(profile, prefix, options),
    transaction: refuse,
    [Symbol.asyncDispose]: async () => {},
  }
}
