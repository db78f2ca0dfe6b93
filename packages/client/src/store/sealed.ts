import { type Aead, type CryptoProvider, concat, equalBytes, type Hash } from "@conclave/crypto"
import { hex } from "../bytes.js"
import { ClientError } from "../errors.js"
import { platformSlicing, type Slicing } from "../slices.js"
import type { ListOptions, Store, StoreChanges } from "./store.js"

export const SEALING_KEY_SIZE = 32
/** So many records are not sealed, or written, in the turn of the event loop in which they were made. */
const RECORDS_AT_ONCE = 128
const textEncoder = new TextEncoder()

/**
 * A store that holds sealed records only. Each record has a key of its own, derived from the sealing key and the
 * record's key, and a fresh random nonce of 12 bytes; the record's key is authenticated, so that no record can be put
 * in the place of another. What is not hidden: how many records there are, their sizes, and when they change; nor is a
 * record protected against being put back to an older state of itself.
 */
export class SealedStore {
  readonly #store: Store
  readonly #sealingKey: Uint8Array
  readonly #random: (length: number) => Uint8Array
  readonly #aead: Aead
  readonly #hash: Hash
  readonly #slicing: Slicing

  /** Throws `TypeError` where the provider lacks AES-256-GCM or SHA-256, or the key has not 32 bytes. */
  constructor(store: Store, options: SealedStoreOptions) {
    const aead = options.provider.aeads["AES-256-GCM"]
    const hash = options.provider.hashes["SHA-256"]
    if (aead === undefined || hash === undefined) throw new TypeError("the provider lacks AES-256-GCM or SHA-256")
    if (options.sealingKey.length !== SEALING_KEY_SIZE) throw new TypeError("a sealing key has 32 bytes")
    this.#store = store
    this.#sealingKey = Uint8Array.prototype.slice.call(options.sealingKey)
    this.#random = options.random
    this.#slicing = options.slicing ?? platformSlicing
    this.#aead = aead
    this.#hash = hash
  }

  get lost(): Promise<Error> {
    return this.#store.lost
  }

  /** Throws `ClientError` `WRONG_PROFILE` for a record that this sealing key did not seal in this place. */
  async get(key: string): Promise<Uint8Array | undefined> {
    const sealed = await this.#store.get(key)
    return sealed === undefined ? undefined : this.#open(key, sealed)
  }

  async list(prefix: string, options?: ListOptions): Promise<(readonly [string, Uint8Array])[]> {
    const records = await this.#store.list(prefix, options)
    return records.map(([key, sealed]) => [key, this.#open(key, sealed)] as const)
  }

  /** The keys that begin with `prefix`. */
  async keys(prefix: string): Promise<readonly string[]> {
    return (await this.#store.list(prefix)).map(([key]) => key)
  }

  /** Bytes by which a sealed record is longer than what is in it. */
  get overhead(): number {
    return this.#aead.nonceSize + this.#aead.tagSize
  }

  /** Keys, and bytes of their records as they are sealed: a page of `limit`, from the end, of those before `before`. */
  async sizes(limit: number, before?: string): Promise<readonly (readonly [key: string, size: number])[]> {
    const options = { limit, reverse: true, ...(before !== undefined && { before }) }
    return (await this.#store.list("", options)).map(([key, sealed]) => [key, sealed.length] as const)
  }

  async transaction(changes: StoreChanges): Promise<void> {
    const put = new Map<string, Uint8Array>()
    const isLarge = changes.put.size >= RECORDS_AT_ONCE
    if (isLarge) await this.#slicing.turn()
    let isOver = this.#slicing.begin()
    const { nonceSize } = this.#aead
    // At once: to ask the platform for 12 bytes takes as long as to seal a message.
    const nonces = changes.put.size === 0 ? new Uint8Array() : this.#random(nonceSize * changes.put.size)
    for (const [key, value] of changes.put) {
      const at = nonceSize * put.size
      put.set(key, this.#seal(key, value, nonces.subarray(at, at + nonceSize)))
      if (!isLarge || !isOver()) continue
      await this.#slicing.turn()
      isOver = this.#slicing.begin()
    }
    if (isLarge) await this.#slicing.turn()
    const sealed = { put, delete: changes.delete }
    try {
      await this.#store.transaction(sealed)
    } catch (error) {
      if (!(await this.#hasHappened(sealed))) throw error
      // It did, although the store says that it failed: what waits for it must be told. Once more, to be durable.
      await this.#store.transaction(sealed)
    }
  }

  /** A name that may stand in a record's key: 32 hexadecimal digits that only this profile can compute. */
  hiddenName(name: string): string {
    return hex(this.#hash.hmac(this.#sealingKey, textEncoder.encode(`name\0${name}`)).subarray(0, 16))
  }

  async close(): Promise<void> {
    await this.#store[Symbol.asyncDispose]()
    this.#sealingKey.fill(0)
  }

  /** All or nothing: one record shows it, as its nonce is fresh. Where only records go, that they are gone is enough. */
  async #hasHappened({ put, delete: gone }: StoreChanges): Promise<boolean> {
    try {
      for (const [key, record] of put) {
        const stored = await this.#store.get(key)
        return stored !== undefined && equalBytes(stored, record)
      }
      for (const key of gone) if ((await this.#store.get(key)) !== undefined) return false
      return true
    } catch {
      return false
    }
  }

  #seal(key: string, value: Uint8Array, nonce: Uint8Array): Uint8Array {
    return concat(nonce, this.#aead.seal(this.#recordKey(key), nonce, value, textEncoder.encode(key)))
  }

  #open(key: string, sealed: Uint8Array): Uint8Array {
    const nonce = sealed.subarray(0, this.#aead.nonceSize)
    const ciphertext = sealed.subarray(this.#aead.nonceSize)
    const value =
      nonce.length === this.#aead.nonceSize
        ? this.#aead.open(this.#recordKey(key), nonce, ciphertext, textEncoder.encode(key))
        : undefined
    if (value === undefined) throw new ClientError("WRONG_PROFILE", "a record was not sealed with this sealing key")
    return value
  }

  #recordKey(key: string): Uint8Array {
    return this.#hash.hmac(this.#sealingKey, textEncoder.encode(`record\0${key}`)).subarray(0, this.#aead.keySize)
  }
}

export interface SealedStoreOptions {
  /** A group that this device enters has a few thousand records. Default: the platform's. */
  readonly slicing?: Slicing
  readonly provider: CryptoProvider
  readonly sealingKey: Uint8Array
  readonly random: (length: number) => Uint8Array
}
