import { decode, encode, fixed, struct, uint8, uint32, uint64, vector } from "@conclave/codec"
import { type CryptoProvider, wipe } from "@conclave/crypto"
import { Suite } from "./session.js"
import type { KeySince } from "./strike-register.js"
import type { DayKey } from "./wire.js"

export interface KeyRingOptions {
  readonly provider: CryptoProvider
  /** How long a key is the newest. Clients may use it for as long again. Default one day. */
  readonly periodMilliseconds?: number
  /** How long after that it still opens what is late. Default one minute. */
  readonly overlapMilliseconds?: number
  readonly now?: () => number
}

/** What a server needs of its keys. */
export interface ServerKeys {
  /** `undefined` for an id that is not, or no longer, among the keys. */
  find(id: number): RingKey | undefined
  /** What clients are told, the newest first. */
  publicKeys(): DayKey[]
}

export interface RingKey extends KeySince {
  readonly id: number
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
  /** A pinned key opens greetings only: what is sealed to it is not forward secret for as long as it is pinned. */
  readonly pinned: boolean
  readonly madeAt: number
}

const StoredKey = struct("StoredKey", { id: uint32, privateKey: fixed(32), pinned: uint8, madeAt: uint64 })
/** `at`: when it was stored, by the clock of that process. */
const StoredRing = struct("StoredRing", { keys: vector(StoredKey), at: uint64 })
/** As it was before that time was stored with the keys. */
const FormerRing = struct("FormerRing", { keys: vector(StoredKey) })

/** The id under which clients reach a pinned key. */
export const PINNED_KEY_ID = 0
/** How long a process may go on after it has stored its keys for the last time, when the clock was set back since. */
const STORED_LATE_MILLISECONDS = 120_000
const TIMER_MAX_MILLISECONDS = 2 ** 31 - 1
const PINNED_FOR = Number.MAX_SAFE_INTEGER

/**
 * The keys that first flights are sealed to: a new one each period, the one before for clients that have not heard of it,
 * and none older; with their bytes wiped, flights that were recorded stay sealed. A timer wipes them when their time has
 * come, whoever asks or does not, and although the clock is set back meanwhile.
 */
export class KeyRing implements ServerKeys {
  readonly #suite: Suite
  readonly #period: number
  readonly #overlap: number
  readonly #now: () => number
  #keys: RingKey[] = []
  #pinned: RingKey | undefined
  #timer: NodeJS.Timeout | undefined
  /** The latest time that was seen: a clock that is set back stands still here. */
  #latest = 0

  constructor({
    provider,
    periodMilliseconds = 86_400_000,
    overlapMilliseconds = 60_000,
    now = Date.now,
  }: KeyRingOptions) {
    this.#suite = new Suite(provider)
    this.#period = periodMilliseconds
    this.#overlap = overlapMilliseconds
    this.#now = now
  }

  /** Adds a key that does not change, for clients that have its public half built in. Returns that half. */
  pin(privateKey: Uint8Array): Uint8Array {
    const publicKey = this.#suite.hpke.publicKey(privateKey)
    this.#pinned = { ...this.#ringKey(PINNED_KEY_ID, privateKey.slice()), publicKey, pinned: true }
    return publicKey
  }

  find(id: number): RingKey | undefined {
    if (id === PINNED_KEY_ID) return this.#pinned
    return this.#current().find((key) => key.id === id)
  }

  publicKeys(): DayKey[] {
    return this.#current().map(({ id, publicKey, madeAt }) => ({
      id,
      publicKey,
      useUntil: BigInt(madeAt + 2 * this.#period),
    }))
  }

  /**
   * Everything, for a restart. Secret: to be kept as the keys themselves. Another gateway must not import it while this one
   * runs: see `SharedKeyRing`.
   */
  export(): Uint8Array {
    const keys = this.#pinned ? [...this.#current(), this.#pinned] : this.#current()
    return encode(StoredRing, {
      at: BigInt(this.#clock()),
      keys: keys.map(({ id, privateKey, pinned, madeAt }) => ({
        id,
        privateKey,
        pinned: pinned ? 1 : 0,
        madeAt: BigInt(Math.min(madeAt, PINNED_FOR)),
      })),
    })
  }

  /**
   * Takes over the keys of a former process. Where the clock has been set back since, what that process may have run is
   * everything up to its own last time.
   * @throws {DecodeError}
   */
  import(stored: Uint8Array): void {
    const { keys, at } = decodeRing(stored)
    const now = this.#now()
    const since = now >= at ? now : at + STORED_LATE_MILLISECONDS
    this.destroy()
    for (const { id, privateKey, pinned, madeAt } of keys) {
      const key = {
        ...this.#ringKey(id, privateKey.slice()),
        madeAt: Number(madeAt),
        inherited: true,
        since,
      }
      if (pinned === 1) this.#pinned = { ...key, pinned: true }
      else this.#keys.push(key)
    }
    this.#schedule()
  }

  destroy(): void {
    clearTimeout(this.#timer)
    for (const key of [...this.#keys, ...(this.#pinned ? [this.#pinned] : [])]) wipe(key.privateKey)
    this.#keys = []
    this.#pinned = undefined
  }

  #current(): RingKey[] {
    const now = this.#clock()
    this.#destroyOld(now)
    if (this.#keys.length === 0 || now - this.#keys[0]!.madeAt >= this.#period) {
      this.#keys.unshift(this.#newKey())
      this.#schedule()
    }
    return this.#keys
  }

  #destroyOld(now: number): void {
    const lives = (key: RingKey) => now < this.#endOf(key)
    for (const key of this.#keys) if (!lives(key)) wipe(key.privateKey)
    this.#keys = this.#keys.filter(lives)
  }

  #endOf({ madeAt }: RingKey): number {
    return madeAt + 2 * this.#period + this.#overlap
  }

  /** By the timer and not by the clock: time passes although the clock is set back. */
  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#keys.length === 0) return
    const now = this.#clock()
    const wait = Math.min(
      Math.max(Math.min(...this.#keys.map((key) => this.#endOf(key))) - now, 0),
      TIMER_MAX_MILLISECONDS,
    )
    this.#timer = setTimeout(() => {
      this.#destroyOld(now + wait)
      this.#schedule()
    }, wait)
    this.#timer.unref()
  }

  #clock(): number {
    this.#latest = Math.max(this.#latest, this.#now())
    return this.#latest
  }

  #newKey(): RingKey {
    const { provider, hpke } = this.#suite
    const taken = new Set([PINNED_KEY_ID, ...this.#keys.map((key) => key.id)])
    for (;;) {
      const id = new DataView(provider.random(4).buffer).getUint32(0)
      if (!taken.has(id)) return this.#ringKey(id, provider.random(hpke.kem.privateKeySize))
    }
  }

  #ringKey(id: number, privateKey: Uint8Array): RingKey {
    const now = this.#clock()
    const publicKey = this.#suite.hpke.publicKey(privateKey)
    return { id, privateKey, publicKey, pinned: false, madeAt: now, inherited: false, since: now }
  }
}

function decodeRing(stored: Uint8Array) {
  try {
    const { keys, at } = decode(StoredRing, stored)
    return { keys, at: Number(at) }
  } catch {
    return { ...decode(FormerRing, stored), at: 0 }
  }
}
