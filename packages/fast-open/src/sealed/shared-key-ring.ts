import { encode, fixed, struct, uint32, uint64 } from "@conclave/codec"
import { type CryptoProvider, hkdfExpand, hkdfExtract, wipe } from "@conclave/crypto"
import type { AddressTokens } from "./address-tokens.js"
import { PINNED_KEY_ID, type RingKey, type ServerKeys } from "./key-ring.js"
import { Suite } from "./session.js"
import type { DayKey } from "./wire.js"

/** A key of the day as it is stored. Times are milliseconds since 1970, by the store's clock. */
export interface SealedDayKey {
  readonly id: number
  /** A nonce of 12 bytes, and 80 bytes of AES-256-GCM: private key, token secret, tag. */
  readonly sealed: Uint8Array
  /** When clients are first told of it. */
  readonly announceAt: number
  /** When every gateway has destroyed it. */
  readonly destroyAt: number
}

export interface SealedDayKeys {
  readonly keys: readonly SealedDayKey[]
  /** The store's clock. */
  readonly now: number
}

/** Where gateways keep the keys of the day that they share. It sees no private key. */
export interface DayKeyStore {
  read(): Promise<SealedDayKeys>
  /**
   * While no other gateway does the same: deletes the keys whose time is over, and adds the one that `next` returns, if
   * any. It may call `next` more than once, and adds what the last call returned.
   */
  rotate(next: (before: SealedDayKeys) => SealedDayKey | undefined): Promise<SealedDayKeys>
}

export interface SharedKeyRingOptions {
  readonly provider: CryptoProvider
  /** 32 random bytes, the same at every gateway, and not in the store. The pinned key follows from it. */
  readonly secret: Uint8Array
  readonly store: DayKeyStore
  /** How long a key is the newest. Clients may use it for as long again. Default one day. */
  readonly periodMilliseconds?: number
  /** How long after that it still opens what is late. Default one minute. */
  readonly overlapMilliseconds?: number
  /** How long a key is in the store before clients are told of it. Default five minutes. */
  readonly leadMilliseconds?: number
  /** How often the store is looked at: several times in a lead. Default 30 seconds. */
  readonly lookMilliseconds?: number
  /** As that of the `AddressTokens` that it feeds. Default one hour. */
  readonly tokenLifetimeMilliseconds?: number
  /** Is told of a look that failed: the keys that are here go on until their time is over. */
  readonly onError?: (error: unknown) => void
}

/** The keys in the store are sealed under another secret. */
export class OtherSecretError extends Error {
  override readonly name = "OtherSecretError"

  constructor() {
    super("the keys in the store are sealed under another secret")
  }
}

interface HeldKey extends RingKey {
  readonly tokenSecret: Uint8Array
  readonly announceAt: number
  readonly destroyAt: number
}

const Lifetime = struct("Lifetime", { id: uint32, announceAt: uint64, destroyAt: uint64 })
const TokenTime = struct("TokenTime", { label: fixed(20), number: uint64 })
const text = (words: string) => new TextEncoder().encode(words)
const SECRET_SIZE = 32
const NONCE_SIZE = 12
const TOKEN_KEY_SIZE = 16
const TIMER_MAX_MILLISECONDS = 2 ** 31 - 1
/** `AddressTokens` make a key of their own where the next one is late by so much. */
const TOKEN_KEY_LATE_MILLISECONDS = 1_000

/**
 * Keys of the day that several gateways share. One of them makes the next key ahead of its time; the others have fetched it
 * before any gateway announces it. Each wipes a key when its time is over, by a timer, whether or not the store answers.
 *
 * It needs a register that the same gateways share.
 */
export class SharedKeyRing implements ServerKeys, Disposable {
  readonly #options: SharedKeyRingOptions
  readonly #suite: Suite
  readonly #period: number
  readonly #overlap: number
  readonly #lead: number
  readonly #tokenLifetime: number
  readonly #sealingKey: Uint8Array
  readonly #pinned: RingKey
  readonly #fed: AddressTokens[] = []
  /** The newest first. */
  #keys: HeldKey[] = []
  #offset = 0
  #looking: Promise<void> | undefined
  #isOpen = false
  #isDisposed = false
  readonly #timers = new Map<"look" | "wipe" | "feed", NodeJS.Timeout>()

  private constructor(options: SharedKeyRingOptions) {
    const { provider, secret } = options
    if (secret.length !== SECRET_SIZE) throw new RangeError(`a secret of ${SECRET_SIZE} bytes`)
    this.#options = options
    this.#suite = new Suite(provider)
    this.#period = options.periodMilliseconds ?? 86_400_000
    this.#overlap = options.overlapMilliseconds ?? 60_000
    this.#lead = options.leadMilliseconds ?? 300_000
    this.#tokenLifetime = options.tokenLifetimeMilliseconds ?? 3_600_000
    const hash = provider.hashes["SHA-256"]!
    const extracted = hkdfExtract(hash, text("conclave fast open"), secret)
    this.#sealingKey = hkdfExpand(hash, extracted, text("keys of the day"), 32)
    const privateKey = hkdfExpand(hash, extracted, text("server key"), 32)
    wipe(extracted)
    const publicKey = this.#suite.hpke.publicKey(privateKey)
    this.#pinned = { id: PINNED_KEY_ID, privateKey, publicKey, pinned: true, madeAt: 0, inherited: false, since: 0 }
  }

  /**
   * Fetches the keys, and makes the first one where there is none. Rejects with the store's error where that is away, and
   * with {@link OtherSecretError}.
   *
   * @throws {RangeError} for a secret of another length than 32 bytes
   */
  static async open(options: SharedKeyRingOptions): Promise<SharedKeyRing> {
    const ring = new SharedKeyRing(options)
    try {
      await ring.look()
    } catch (error) {
      ring[Symbol.dispose]()
      throw error
    }
    ring.#isOpen = true
    ring.#scheduleLook()
    return ring
  }

  /** 32 bytes, for clients that have it built in: it follows from the secret and stays with it. */
  get publicKey(): Uint8Array {
    return this.#pinned.publicKey
  }

  find(id: number): RingKey | undefined {
    if (id === PINNED_KEY_ID) return this.#pinned
    this.#wipeOld()
    return this.#keys.find((key) => key.id === id)
  }

  publicKeys(): DayKey[] {
    this.#wipeOld()
    const now = this.#now()
    return (
      this.#keys
        // A key that clients may use no longer lives on for what is late, and for gateways whose clocks lag.
        .filter(({ announceAt, destroyAt }) => announceAt <= now && now < destroyAt - this.#overlap)
        .map(({ id, publicKey, destroyAt }) => ({ id, publicKey, useUntil: BigInt(destroyAt - this.#overlap) }))
    )
  }

  /** Gives the tokens keys that every gateway derives alike, now and whenever they change. */
  feed(tokens: AddressTokens): void {
    this.#fed.push(tokens)
    this.#feed()
  }

  /** Looks at the store now. Concurrent calls share one look. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  [Symbol.dispose](): void {
    this.#isOpen = false
    this.#isDisposed = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    for (const key of this.#keys) wipe(key.privateKey, key.tokenSecret)
    this.#keys = []
    wipe(this.#sealingKey, this.#pinned.privateKey)
  }

  async #look(): Promise<void> {
    const { store } = this.#options
    const asked = performance.now()
    const state = await store.read()
    if (this.#isDisposed) return
    // The middle of the way there and back.
    this.#offset = state.now - (asked + performance.now()) / 2
    // Before anything is written: a gateway that has another secret changes nothing.
    this.#take(state)
    if (this.#isDue(state) || state.keys.some(({ destroyAt }) => destroyAt <= state.now)) {
      const rotated = await store.rotate((before) =>
        !this.#isDisposed && this.#isDue(before) ? this.#next(before) : undefined,
      )
      if (this.#isDisposed) return
      this.#take(rotated)
    }
    if (this.#fed.length > 0) this.#feed()
  }

  #isDue({ keys, now }: SealedDayKeys): boolean {
    return keys.length === 0 || now >= newestOf(keys) + this.#period - this.#lead
  }

  #next({ keys, now }: SealedDayKeys): SealedDayKey {
    // Where there is no key, a gateway that starts is the first. One that runs is perhaps not alone.
    const soonest = keys.length === 0 && !this.#isOpen ? now : now + this.#lead
    const announceAt = keys.length === 0 ? soonest : Math.max(soonest, newestOf(keys) + this.#period)
    const { provider, hpke } = this.#suite
    const taken = new Set([PINNED_KEY_ID, ...keys.map(({ id }) => id)])
    let id: number
    do id = new DataView(provider.random(4).buffer).getUint32(0)
    while (taken.has(id))
    const lifetime = { id, announceAt, destroyAt: announceAt + 2 * this.#period + this.#overlap }
    const secrets = provider.random(hpke.kem.privateKeySize + SECRET_SIZE)
    const nonce = provider.random(NONCE_SIZE)
    const ciphertext = this.#aead.seal(this.#sealingKey, nonce, secrets, boundTo(lifetime))
    wipe(secrets)
    return { ...lifetime, sealed: Buffer.concat([nonce, ciphertext]) }
  }

  #take({ keys, now }: SealedDayKeys): void {
    const living = keys.filter(({ destroyAt }) => destroyAt > now)
    const taken: HeldKey[] = []
    for (const key of living) {
      const held = this.#keys.find(({ id }) => id === key.id) ?? this.#opened(key)
      if (held !== undefined) taken.push(held)
    }
    if (taken.length < living.length && !this.#isOpen) {
      for (const key of taken) wipe(key.privateKey, key.tokenSecret)
      throw new OtherSecretError()
    }
    if (taken.length < living.length) this.#options.onError?.(new OtherSecretError())
    for (const key of this.#keys) if (!taken.includes(key)) wipe(key.privateKey, key.tokenSecret)
    this.#keys = taken.sort((a, b) => b.announceAt - a.announceAt)
    this.#scheduleWipe()
  }

  #opened(key: SealedDayKey): HeldKey | undefined {
    const [nonce, ciphertext] = [key.sealed.subarray(0, NONCE_SIZE), key.sealed.subarray(NONCE_SIZE)]
    const secrets = this.#aead.open(this.#sealingKey, nonce, ciphertext, boundTo(key))
    if (secrets?.length !== this.#suite.hpke.kem.privateKeySize + SECRET_SIZE) return undefined
    const privateKey = secrets.slice(0, -SECRET_SIZE)
    const tokenSecret = secrets.slice(-SECRET_SIZE)
    wipe(secrets)
    const publicKey = this.#suite.hpke.publicKey(privateKey)
    const { id, announceAt, destroyAt } = key
    // The register is as old as the keys: no process has run a request that is not in it.
    const since = { inherited: false, since: announceAt }
    return {
      id,
      announceAt,
      destroyAt,
      privateKey,
      publicKey,
      tokenSecret,
      pinned: false,
      madeAt: announceAt,
      ...since,
    }
  }

  get #aead() {
    return this.#suite.provider.aeads["AES-256-GCM"]!
  }

  /** The store's clock, which runs on by this process's while the store is silent. */
  #now(): number {
    return performance.now() + this.#offset
  }

  #wipeOld(): void {
    const now = this.#now()
    for (const key of this.#keys) if (key.destroyAt <= now) wipe(key.privateKey, key.tokenSecret)
    this.#keys = this.#keys.filter(({ destroyAt }) => destroyAt > now)
  }

  #scheduleWipe(): void {
    if (this.#keys.length === 0) return
    const ends = Math.min(...this.#keys.map(({ destroyAt }) => destroyAt))
    this.#after("wipe", ends - this.#now(), () => {
      this.#wipeOld()
      this.#scheduleWipe()
    })
  }

  #scheduleLook(): void {
    this.#after("look", this.#options.lookMilliseconds ?? 30_000, async () => {
      try {
        await this.look()
      } catch (error) {
        if (this.#isOpen) this.#options.onError?.(error)
      }
      if (this.#isOpen) this.#scheduleLook()
    })
  }

  /** A key for this lifetime, and the one before. Both follow from secrets that all gateways have, and from the store's clock. */
  #feed(): void {
    const now = this.#now()
    const number = Math.floor(now / this.#tokenLifetime)
    const since = Date.now() - (now - number * this.#tokenLifetime) + TOKEN_KEY_LATE_MILLISECONDS
    const keys = [number, number - 1].flatMap((it, age) => {
      const key = this.#tokenKey(it)
      return key === undefined ? [] : [{ key, since: since - age * this.#tokenLifetime }]
    })
    if (keys.length > 0) for (const tokens of this.#fed) tokens.importKeys(keys)
    for (const { key } of keys) wipe(key)
    this.#after("feed", (number + 1) * this.#tokenLifetime - now, () => this.#feed())
  }

  /** From the key of the day that was the newest when the lifetime began, which is the same for all. */
  #tokenKey(number: number): Uint8Array | undefined {
    const begin = number * this.#tokenLifetime
    const from = this.#keys.find(({ announceAt }) => announceAt <= begin) ?? this.#keys.at(-1)
    if (from === undefined) return undefined
    const info = encode(TokenTime, { label: text("conclave token keys "), number: BigInt(number) })
    return hkdfExpand(this.#suite.provider.hashes["SHA-256"]!, from.tokenSecret, info, TOKEN_KEY_SIZE)
  }

  #after(name: "look" | "wipe" | "feed", milliseconds: number, work: () => void): void {
    clearTimeout(this.#timers.get(name))
    const timer = setTimeout(work, Math.min(Math.max(milliseconds, 1), TIMER_MAX_MILLISECONDS))
    timer.unref()
    this.#timers.set(name, timer)
  }
}

const newestOf = (keys: readonly SealedDayKey[]) => Math.max(...keys.map(({ announceAt }) => announceAt))

/** The store can neither lengthen the time of a key nor swap two. */
function boundTo({ id, announceAt, destroyAt }: Omit<SealedDayKey, "sealed">): Uint8Array {
  return encode(Lifetime, { id, announceAt: BigInt(announceAt), destroyAt: BigInt(destroyAt) })
}
