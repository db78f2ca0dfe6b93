import { decode, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import { includes } from "@conclave/identity/verdicts"
import type { Transactions } from "../journal/transactions.js"
import { Pins, recordKeys } from "../records/records.js"
import type { SealedStore } from "../store/sealed.js"
import type { Identity } from "./identity.js"
import type { Judge } from "./judge.js"

export interface OwnDevicesOptions {
  readonly identity: Pick<Identity, "name" | "signatureKey">
  readonly store: SealedStore
  readonly transactions: Transactions
  readonly judge: Judge
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly acceptEndorsed: boolean
  /** Called where the directory does not list this device. */
  readonly onUnlisted: () => Promise<void>
}

const CHECK_MILLISECONDS = 3_600_000

/**
 * Looks now and then which devices the directory lists for this device's own name. One that no device of the person has
 * endorsed is told of loudly, once: whoever it belongs to speaks under this name to people who never met it.
 */
export class OwnDevices {
  readonly #options: OwnDevicesOptions
  #due = 0

  constructor(options: OwnDevicesOptions) {
    this.#options = options
  }

  /** When to look again (Unix time in milliseconds). */
  get due(): number {
    return this.#due
  }

  /** Does nothing before {@link due}. Rejects with `UNAVAILABLE`. */
  async check(signal: AbortSignal): Promise<void> {
    const { identity, judge, now, transactions, store, acceptEndorsed, onUnlisted } = this.#options
    const { name, signatureKey: own } = identity
    const wait = this.#due - now()
    // A longer one is of a clock that has been set meanwhile.
    if (wait > 0 && wait <= CHECK_MILLISECONDS) return
    const listed = await judge.devices(name, signal)
    if (!listed.some(({ device }) => equalBytes(device.signatureKey, own))) await onUnlisted()
    const unknown = listed.filter(({ pinned }) => !pinned)
    this.#due = now() + CHECK_MILLISECONDS
    if (unknown.length === 0) return
    const record = await store.get(recordKeys.strangeDevices)
    const told = record === undefined ? [] : decode(Pins, record).signatureKeys
    await transactions.run(undefined, (transaction) => {
      const news: Uint8Array[] = []
      for (const { device, known: endorsed } of unknown) {
        const { signatureKey } = device
        const accepted = endorsed && acceptEndorsed
        if (accepted ? !judge.pin(transaction, { name, signatureKey }) : includes(told, signatureKey)) continue
        if (!accepted) news.push(signatureKey)
        transaction.emit({ type: "keyChanged", conversation: undefined, name, signatureKey, endorsed, accepted })
      }
      if (news.length === 0) return
      transaction.put(recordKeys.strangeDevices, encode(Pins, { name, signatureKeys: [...told, ...news] }))
    })
  }
}
