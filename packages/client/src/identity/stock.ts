import { decode, encode } from "@conclave/codec"
import { createKeyPackage, decodeKeyPackageBundle, encodeKeyPackageBundle, type KeyPackageBundle } from "@conclave/mls"
import { recordKeys, StoredKeyPackage } from "../core/records.js"
import type { Step, Steps } from "../core/steps.js"
import type { Delivery } from "../service/delivery.js"
import { hex, type SealedStore } from "../store/sealed.js"
import type { Identity } from "./identity.js"

export interface StockOptions {
  readonly store: SealedStore
  readonly steps: Steps
  readonly delivery: Delivery
  readonly identity: Identity
  readonly random: (length: number) => Uint8Array
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly size: number
  readonly lifetimeSeconds: number
}

/** Clocks differ: a key package is valid from an hour before it was made. */
const CLOCK_SKEW_SECONDS = 3600n

/** The key packages by which others add this device (RFC 9420 §10): private halves here, public ones at the service. */
export class Stock {
  readonly #options: StockOptions

  constructor(options: StockOptions) {
    this.#options = options
  }

  /** All that a Welcome may be encrypted to. */
  async bundles(): Promise<readonly KeyPackageBundle[]> {
    return (await this.#stored()).map(([, stored]) => decodeKeyPackageBundle(stored.bundle))
  }

  /** A key package has been used: its private keys go, unless it is the last resort (RFC 9420 §16.8). */
  use(step: Step, bundle: KeyPackageBundle): void {
    if (!bundle.lastResort) step.delete(recordKeys.keyPackage(hex(bundle.ref)))
  }

  /** Fills up what the service holds, and forgets what has expired. May be repeated at any time. */
  async replenish(signal: AbortSignal): Promise<void> {
    const { delivery, identity, size } = this.#options
    const stored = await this.#withoutExpired()
    const held = await delivery.countKeyPackages(identity.suite.number, signal)
    const waiting = stored.filter(([, it]) => !it.published)
    const waitingSingle = waiting.filter(([, it]) => !it.lastResort).length
    const missing = Math.max(0, size - held.count - waitingSingle)
    const needsLastResort = !held.lastResort && !waiting.some(([, it]) => it.lastResort)
    // Below half of the stock only: a device that is added often does not ask after each time.
    const made = missing * 2 > size || needsLastResort ? await this.#make(missing, needsLastResort) : []
    const unpublished = [...waiting, ...made]
    if (unpublished.length > 0) await this.#publish(unpublished, signal)
  }

  async #publish(stored: readonly Stored[], signal: AbortSignal): Promise<void> {
    const { delivery, identity, steps } = this.#options
    const packages = stored.map(([key, it]) => ({ key, it, bundle: decodeKeyPackageBundle(it.bundle) }))
    const single = packages.filter(({ it }) => !it.lastResort)
    const lastResort = packages.find(({ it }) => it.lastResort)?.bundle.keyPackage
    await delivery.publishKeyPackages(
      { cipherSuite: identity.suite.number, keyPackages: single.map(({ bundle }) => bundle.keyPackage), lastResort },
      signal,
    )
    await steps.run(undefined, (step) => {
      for (const [key, it] of stored) step.put(key, encode(StoredKeyPackage, { ...it, published: true }))
    })
  }

  /** Stored before they are published: a Welcome may come the moment after. */
  #make(count: number, withLastResort: boolean): Promise<readonly Stored[]> {
    const { identity, now, random, lifetimeSeconds, steps } = this.#options
    const seconds = BigInt(Math.floor(now() / 1000))
    const notBefore = seconds > CLOCK_SKEW_SECONDS ? seconds - CLOCK_SKEW_SECONDS : 0n
    const lifetime = { notBefore, notAfter: seconds + BigInt(lifetimeSeconds) }
    return steps.run(undefined, (step) => {
      const made: Stored[] = []
      for (let i = 0; i < count + (withLastResort ? 1 : 0); i++) {
        const lastResort = i === count
        const bundle = createKeyPackage({
          suite: identity.suite,
          signer: identity.signer,
          lifetime,
          lastResort,
          random,
        })
        const stored = { bundle: encodeKeyPackageBundle(bundle), lastResort, published: false, ...lifetime }
        const key = recordKeys.keyPackage(hex(bundle.ref))
        step.put(key, encode(StoredKeyPackage, stored))
        made.push([key, stored])
      }
      return made
    })
  }

  async #withoutExpired(): Promise<readonly Stored[]> {
    const seconds = BigInt(Math.floor(this.#options.now() / 1000))
    const stored = await this.#stored()
    const expired = stored.filter(([, it]) => it.notAfter < seconds)
    if (expired.length > 0) {
      await this.#options.steps.run(undefined, (step) => {
        for (const [key] of expired) step.delete(key)
      })
    }
    return stored.filter(([, it]) => it.notAfter >= seconds)
  }

  async #stored(): Promise<readonly Stored[]> {
    const records = await this.#options.store.list(recordKeys.keyPackages)
    return records.map(([key, record]) => [key, decode(StoredKeyPackage, record)] as const)
  }
}

type Stored = readonly [key: string, stored: StoredKeyPackage]
