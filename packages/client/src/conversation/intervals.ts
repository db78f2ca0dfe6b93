import { encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { CipherSuite } from "@conclave/mls"
import { IntervalKeys } from "../access/interval-keys.js"
import { recordKeys, StoredInterval } from "../records/records.js"
import type { Changes } from "../store/changes.js"

/**
 * The intervals of a conversation that this device has been in, or was told of: 1, 2, 3, … in the order in which it learned
 * of them, which is that of the log. Kept as long as a leaf is in the tree that was set when they were in force.
 */
export class Intervals {
  readonly #all = new Map<number, IntervalKeys>()
  #newest = 0

  /** Exchanges everything for what is stored, in the order of the numbers. */
  load(suite: CipherSuite, stored: readonly (readonly [number: number, interval: StoredInterval])[]): void {
    this.#all.clear()
    this.#newest = 0
    for (const [number, { secret, accessKey }] of stored) {
      this.#all.set(number, new IntervalKeys(suite, secret, accessKey))
      this.#newest = number
    }
  }

  /** `undefined` in a conversation of which no key has been registered yet. */
  get newest(): IntervalKeys | undefined {
    return this.#all.get(this.#newest)
  }

  /** Of those before the newest: that before it, and then each time twice as far back; the oldest is the last one. */
  get older(): readonly IntervalKeys[] {
    const all = [...this.#all.values()].reverse()
    const older: IntervalKeys[] = []
    for (let back = 1; back < all.length; back *= 2) older.push(all[back]!)
    const oldest = all.at(-1)
    return all.length > 1 && older.at(-1) !== oldest ? [...older, oldest!] : older
  }

  /** 0 where there is none. */
  get newestNumber(): number {
    return this.#newest
  }

  get size(): number {
    return this.#all.size
  }

  /** What the service knows of them as well, oldest first. */
  get public(): readonly { readonly number: number; readonly accessKey: Uint8Array }[] {
    return [...this.#all].map(([number, { accessKey }]) => ({ number, accessKey: accessKey.slice() }))
  }

  find(accessKey: Uint8Array): { readonly number: number; readonly keys: IntervalKeys } | undefined {
    for (const [number, keys] of this.#all) if (equalBytes(keys.accessKey, accessKey)) return { number, keys }
    return undefined
  }

  /** The newest one from now on, unless it is known. */
  add(step: Changes, id: string, keys: IntervalKeys): void {
    if (this.find(keys.accessKey) !== undefined) return
    this.#newest++
    this.#all.set(this.#newest, keys)
    const { secret, accessKey } = keys
    step.put(recordKeys.interval(id, this.#newest), encode(StoredInterval, { accessKey, secret }))
  }

  /** Those before `oldest` open nothing any more; the newest one stays. */
  forgetBefore(step: Changes, id: string, oldest: number): void {
    for (const number of [...this.#all.keys()]) {
      if (number >= oldest || number === this.#newest) return
      this.#all.get(number)?.secret.fill(0)
      this.#all.delete(number)
      step.delete(recordKeys.interval(id, number))
    }
  }

  /** This one is the newest again: those after it are of epochs that did not last. */
  goBack(step: Changes, id: string, keys: IntervalKeys): void {
    const known = this.find(keys.accessKey)
    if (known === undefined) {
      this.add(step, id, keys)
      return
    }
    for (const number of [...this.#all.keys()].filter((it) => it > known.number)) {
      this.#all.get(number)?.secret.fill(0)
      this.#all.delete(number)
      step.delete(recordKeys.interval(id, number))
    }
    this.#newest = known.number
  }

  /** This device is a member no more. */
  forget(step: Changes, id: string): void {
    for (const [number, keys] of this.#all) {
      keys.secret.fill(0)
      step.delete(recordKeys.interval(id, number))
    }
    this.#all.clear()
    this.#newest = 0
  }
}
