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

export interface RingKey extends KeySince {
  readonly id: number
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
  /** A pinned key opens greetings only: what is sealed to it is not forward secret for as long as it is pinned. */
  readonly pinned: boolean
  readonly madeAt: number
}

const StoredKey = struct("StoredKey", { id: uint32, privateKey: fixed(32), pinned: uint8, madeAt: uint64 })
const StoredRing = struct("StoredRing", { keys: vector(StoredKey) })

/** The id under which clients reach a pinned key. */
export const PINNED_KEY_ID = 0
const PINNED_FOR = Number.MAX_SAFE_INTEGER

/**
 * The keys that first flights are sealed to: a new one each period, the one before for clients that have not heard of it,
 * and none older; with their bytes wiped, flights that were recorded stay sealed.
 */
export class KeyRing {
  readonly #suite: Suite
  readonly #period: number
  readonly #overlap: number
  readonly #now: () => number
  #keys: RingKey[] = []
  #pinned: RingKey | undefined

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

  /** `undefined` for an id that is not, or no longer, among the keys. */
  find(id: number): RingKey | undefined {
    if (id === PINNED_KEY_ID) return this.#pinned
    return this.#current().find((key) => key.id === id)
  }

  /** What clients are told, the newest first. */
  publicKeys(): DayKey[] {
    return this.#current().map(({ id, publicKey, madeAt }) => ({
      id,
      publicKey,
      useUntil: BigInt(madeAt + 2 * this.#period),
    }))
  }

  /** Everything, for a restart or another front end. Secret: to be kept as the keys themselves. */
  export(): Uint8Array {
    const keys = this.#pinned ? [...this.#current(), this.#pinned] : this.#current()
    return encode(StoredRing, {
      keys: keys.map(({ id, privateKey, pinned, madeAt }) => ({
        id,
        privateKey,
        pinned: pinned ? 1 : 0,
        madeAt: BigInt(Math.min(madeAt, PINNED_FOR)),
      })),
    })
  }

  /** Takes over the keys of a former process. Throws `DecodeError`. */
  import(stored: Uint8Array): void {
    const { keys } = decode(StoredRing, stored)
    this.destroy()
    for (const { id, privateKey, pinned, madeAt } of keys) {
      const key = {
        ...this.#ringKey(id, privateKey.slice()),
        madeAt: Number(madeAt),
        inherited: true,
        since: this.#now(),
      }
      if (pinned === 1) this.#pinned = { ...key, pinned: true }
      else this.#keys.push(key)
    }
  }

  destroy(): void {
    for (const key of [...this.#keys, ...(this.#pinned ? [this.#pinned] : [])]) wipe(key.privateKey)
    this.#keys = []
    this.#pinned = undefined
  }

  #current(): RingKey[] {
    const now = this.#now()
    if (this.#keys.length === 0 || now - this.#keys[0]!.madeAt >= this.#period) this.#keys.unshift(this.#newKey())
    const lives = (key: RingKey) => now < key.madeAt + 2 * this.#period + this.#overlap
    for (const key of this.#keys) if (!lives(key)) wipe(key.privateKey)
    this.#keys = this.#keys.filter(lives)
    return this.#keys
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
    const now = this.#now()
    const publicKey = this.#suite.hpke.publicKey(privateKey)
    return { id, privateKey, publicKey, pinned: false, madeAt: now, inherited: false, since: now }
  }
}
