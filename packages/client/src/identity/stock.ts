import { decode, encode } from "@conclave/codec"
import {
  createKeyPackage,
  decodeKeyPackage,
  decodeKeyPackageBundle,
  encodeKeyPackageBundle,
  type KeyPackageBundle,
} from "@conclave/mls"
import { hex } from "../bytes.js"
import type { Transaction, Transactions } from "../journal/transactions.js"
import { KeyPackagesReplaced, recordKeys, StoredKeyPackage, Welcomed } from "../records/records.js"
import type { Delivery } from "../service/delivery.js"
import type { SealedStore } from "../store/sealed.js"
import type { Identity } from "./identity.js"

export interface StockOptions {
  readonly store: SealedStore
  readonly transactions: Transactions
  readonly delivery: Delivery
  readonly identity: Identity
  readonly random: (length: number) => Uint8Array
  /** Unix time in milliseconds, by the clock that lifetimes go by. */
  readonly now: () => number
  /** What the service's clock shows, as far as that is known (Unix time in milliseconds). */
  readonly serviceNow: () => number
  readonly size: number
  readonly lifetimeSeconds: number
}

/** Clocks differ: a key package is valid from an hour before it was made. */
const CLOCK_SKEW_SECONDS = 3600n
/**
 * What has been replaced is kept for Welcomes under way: somebody may have claimed it before, and commit days later, when
 * there is a line again. Whoever invites by it afterwards has to claim another one.
 */
const KEPT_SECONDS = 7n * 86_400n
/** All key packages are replaced at most once in so many milliseconds: each time is work for the service. */
const REPLACED_MILLISECONDS_MIN = 86_400_000n
/** What expires is noticed without anybody telling. */
const CHECK_MILLISECONDS = 86_400_000

/** The key packages by which others add this device (RFC 9420 §10): private halves here, public ones at the service. */
export class Stock {
  readonly #options: StockOptions
  #last: Promise<void> = Promise.resolve()

  constructor(options: StockOptions) {
    this.#options = options
  }

  /** All that a Welcome may be encrypted to. */
  async bundles(): Promise<readonly KeyPackageBundle[]> {
    return (await this.#stored()).map(([, stored]) => decodeKeyPackageBundle(stored.bundle))
  }

  /** What there is under a reference, for {@link use}. */
  async find(ref: Uint8Array): Promise<Stored | undefined> {
    const key = recordKeys.keyPackage(hex(ref))
    const record = await this.#options.store.get(key)
    return record === undefined ? undefined : [key, decode(StoredKeyPackage, record)]
  }

  /**
   * A key package has been used: its private keys go. Those of the last resort stay for some days, for Welcomes under
   * way, and {@link replenish} puts another in its place (RFC 9420 §16.8, RFC 9750 §5.1).
   */
  use(transaction: Transaction, [key, stored]: Stored): void {
    if (stored.lastResort) this.#retire(transaction, [key, stored])
    else transaction.delete(key)
  }

  /** This device enters by the Welcome of `commit`: never again, as it would begin with the same keys again. */
  enter(transaction: Transaction, used: Stored, commit: Uint8Array | undefined): void {
    this.use(transaction, used)
    const [, { lastResort, notAfter: until }] = used
    if (lastResort && commit !== undefined) {
      transaction.put(recordKeys.welcomedBy(hex(commit)), encode(Welcomed, { until }))
    }
  }

  async hasEntered(commit: Uint8Array): Promise<boolean> {
    return (await this.#options.store.get(recordKeys.welcomedBy(hex(commit)))) !== undefined
  }

  #retire(transaction: Transaction, [key, stored]: Stored): void {
    if (stored.keptUntil !== undefined) return
    transaction.put(
      key,
      encode(StoredKeyPackage, { ...stored, published: true, keptUntil: this.#seconds() + KEPT_SECONDS }),
    )
  }

  /** How many there are in this device, in each state: for a report. */
  async census(): Promise<StockCensus> {
    const stored = (await this.#stored()).map(([, it]) => it)
    const inUse = stored.filter(({ keptUntil }) => keptUntil === undefined)
    const single = inUse.filter(({ lastResort }) => !lastResort)
    return {
      published: single.filter(({ published }) => published).length,
      unpublished: single.filter(({ published }) => !published).length,
      lastResorts: inUse.length - single.length,
      replaced: stored.length - inUse.length,
    }
  }

  /** When {@link replenish} is to run again without being told to (Unix time in milliseconds). */
  get due(): number {
    const { now, lifetimeSeconds } = this.#options
    return now() + Math.min(CHECK_MILLISECONDS, lifetimeSeconds * 250)
  }

  /**
   * Fills up what the service holds, and forgets what has expired. Everything is replaced where this device has renewed its
   * keys, since whoever had a copy of the device before has no private keys for what is handed out after, and where a
   * lifetime has not begun, since the clock was ahead when it was made. May be repeated at any time; one call after the other.
   */
  replenish(signal: AbortSignal): Promise<void> {
    const replenished = this.#last.then(() => this.#replenish(signal))
    this.#last = replenished.catch(() => {})
    return replenished
  }

  async #replenish(signal: AbortSignal): Promise<void> {
    const { delivery, identity, size } = this.#options
    const stored = await this.#withoutExpired()
    const replacing = (await this.#insteadOfEarly(stored, signal)) ?? (await this.#replacement(stored))
    if (replacing !== undefined) return this.#publish(replacing, signal, { replaces: true })
    const held = await delivery.countKeyPackages(identity.suite.number, signal)
    const inUse = stored.filter(([, it]) => it.keptUntil === undefined)
    const waiting = inUse.filter(([, it]) => !it.published)
    const waitingSingle = waiting.filter(([, it]) => !it.lastResort).length
    const missing = Math.max(0, size - held.count - waitingSingle)
    const lastResorts = inUse.filter(([, it]) => it.lastResort)
    const needsLastResort = !lastResorts.some(([, it]) => !this.#isAgeing(it) && (!it.published || held.lastResort))
    // Below half of the stock only: a device that is added often does not ask after each time.
    const made = missing * 2 > size || needsLastResort ? await this.#make(missing, needsLastResort, lastResorts) : []
    const unpublished = [...waiting.filter(([, it]) => !it.lastResort || !needsLastResort), ...made]
    if (unpublished.length > 0) await this.#publish(unpublished, signal, { replaces: false })
  }

  /**
   * What is to take the place of key packages whose lifetimes have not begun: they were made while the clock was ahead, and
   * others refuse them (RFC 9420 §7.3). The service may hold some of them where its clock was ahead, too.
   */
  async #insteadOfEarly(stored: readonly Stored[], signal: AbortSignal): Promise<readonly Stored[] | undefined> {
    const { delivery, identity, size } = this.#options
    const inUse = stored.filter(([, it]) => it.keptUntil === undefined)
    const anyEarly = () => inUse.some(([, it]) => this.#isEarly(it))
    if (!anyEarly()) return undefined
    // If this clock is behind now, the service says so: then they are good, and nothing better can be made.
    await delivery.countKeyPackages(identity.suite.number, signal)
    return anyEarly() ? this.#makeInstead(size, inUse) : undefined
  }

  #isEarly({ bundle }: StoredKeyPackage): boolean {
    const { leafNodeSource } = decodeKeyPackage(decodeKeyPackageBundle(bundle).keyPackage).leafNode
    const { now, serviceNow } = this.#options
    const latest = BigInt(Math.floor(Math.max(now(), serviceNow()) / 1000))
    return leafNodeSource.type === "keyPackage" && leafNodeSource.lifetime.notBefore > latest
  }

  /**
   * What is to take the place of all that the service holds: made for it now, or before a crash or a failure, after which
   * nobody knows what the service has. Nothing else is published in between.
   */
  async #replacement(stored: readonly Stored[]): Promise<readonly Stored[] | undefined> {
    const { store, now, size } = this.#options
    const inUse = stored.filter(([, it]) => it.keptUntil === undefined)
    const record = await store.get(recordKeys.keyPackagesReplaced)
    const last = record === undefined ? undefined : decode(KeyPackagesReplaced, record)
    if (last?.confirmed === false) {
      const waiting = inUse.filter(([, it]) => !it.published)
      if (waiting.some(([, it]) => it.lastResort && !this.#isAgeing(it))) return waiting
    } else {
      const at = BigInt(now())
      const isTooSoon = last !== undefined && at >= last.at && at - last.at < REPLACED_MILLISECONDS_MIN
      if (isTooSoon || (await store.get(recordKeys.keyPackagesDue)) === undefined) return undefined
    }
    return this.#makeInstead(size, inUse)
  }

  #makeInstead(count: number, replaced: readonly Stored[]): Promise<readonly Stored[]> {
    return this.#make(count, true, replaced, (transaction) => {
      transaction.delete(recordKeys.keyPackagesDue)
      this.#noteReplaced(transaction, { at: BigInt(this.#options.now()), confirmed: false })
    })
  }

  #noteReplaced(transaction: Transaction, replaced: KeyPackagesReplaced): void {
    transaction.put(recordKeys.keyPackagesReplaced, encode(KeyPackagesReplaced, replaced))
  }

  /** In the last quarter of its life. */
  #isAgeing({ notAfter }: StoredKeyPackage): boolean {
    return notAfter < this.#seconds() + BigInt(Math.floor(this.#options.lifetimeSeconds / 4))
  }

  #seconds(): bigint {
    return BigInt(Math.floor(this.#options.now() / 1000))
  }

  async #publish(
    stored: readonly Stored[],
    signal: AbortSignal,
    { replaces }: { readonly replaces: boolean },
  ): Promise<void> {
    const { delivery, identity, transactions, now } = this.#options
    const packages = stored.map(([key, it]) => ({ key, it, bundle: decodeKeyPackageBundle(it.bundle) }))
    const single = packages.filter(({ it }) => !it.lastResort)
    const lastResort = packages.find(({ it }) => it.lastResort)?.bundle.keyPackage
    const keyPackages = single.map(({ bundle }) => bundle.keyPackage)
    await delivery.publishKeyPackages({ cipherSuite: identity.suite.number, keyPackages, lastResort, replaces }, signal)
    await transactions.run(undefined, (transaction) => {
      if (replaces) this.#noteReplaced(transaction, { at: BigInt(now()), confirmed: true })
      for (const [key, it] of stored) transaction.put(key, encode(StoredKeyPackage, { ...it, published: true }))
    })
  }

  /** Stored before they are published: a Welcome may come the moment after. */
  #make(
    count: number,
    withLastResort: boolean,
    replaced: readonly Stored[],
    beside: (transaction: Transaction) => void = () => {},
  ): Promise<readonly Stored[]> {
    const { identity, random, lifetimeSeconds, transactions } = this.#options
    const seconds = this.#seconds()
    const notBefore = seconds > CLOCK_SKEW_SECONDS ? seconds - CLOCK_SKEW_SECONDS : 0n
    const lifetime = { notBefore, notAfter: seconds + BigInt(lifetimeSeconds) }
    return transactions.run(undefined, (transaction) => {
      const made: Stored[] = []
      beside(transaction)
      if (withLastResort) for (const stored of replaced) this.#retire(transaction, stored)
      for (let i = 0; i < count + (withLastResort ? 1 : 0); i++) {
        const lastResort = i === count
        const bundle = createKeyPackage({
          suite: identity.suite,
          signer: identity.signer,
          lifetime,
          lastResort,
          random,
        })
        const { notAfter } = lifetime
        const kept = { lastResort, published: false, notAfter, keptUntil: undefined }
        const stored: StoredKeyPackage = { bundle: encodeKeyPackageBundle(bundle), ...kept }
        const key = recordKeys.keyPackage(hex(bundle.ref))
        transaction.put(key, encode(StoredKeyPackage, stored))
        made.push([key, stored])
      }
      return made
    })
  }

  async #withoutExpired(): Promise<readonly Stored[]> {
    const seconds = this.#seconds()
    const stored = await this.#stored()
    const isOver = ([, { notAfter, keptUntil }]: Stored) => notAfter < seconds || (keptUntil ?? seconds) < seconds
    const welcomed = await this.#options.store.list(recordKeys.welcomed)
    const unopened = welcomed.filter(([, record]) => decode(Welcomed, record).until < seconds)
    const over = [...stored.filter(isOver), ...unopened]
    if (over.length > 0) {
      await this.#options.transactions.run(undefined, (transaction) => {
        for (const [key] of over) transaction.delete(key)
      })
    }
    return stored.filter((it) => !isOver(it))
  }

  async #stored(): Promise<readonly Stored[]> {
    const records = await this.#options.store.list(recordKeys.keyPackages)
    return records.map(([key, record]) => [key, decode(StoredKeyPackage, record)] as const)
  }
}

export interface StockCensus {
  /** For a single use, confirmed by the service; it may have handed some of them out. */
  readonly published: number
  /** For a single use, not confirmed. */
  readonly unpublished: number
  readonly lastResorts: number
  /** Kept for Welcomes under way. */
  readonly replaced: number
}

export type Stored = readonly [key: string, stored: StoredKeyPackage]
