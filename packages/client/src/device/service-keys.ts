import { decode, encode } from "@conclave/codec"
import type { ServiceIdentity } from "@conclave/contracts/heads"
import type { CryptoProvider } from "@conclave/crypto"
import { newsOf, serviceSuite } from "../heads/service-key.js"
import type { Reloadable, Transactions } from "../journal/transactions.js"
import { KeyPackagesDue, PinnedService, recordKeys } from "../records/records.js"
import type { Delivery } from "../service/delivery.js"
import type { SealedStore } from "../store/sealed.js"

export interface ServiceKeysOptions {
  readonly store: SealedStore
  readonly transactions: Transactions
  readonly delivery: Delivery
  readonly provider: CryptoProvider
  /** Unix time in milliseconds. */
  readonly now: () => number
  /** It was restored: the inbox is to be read from its beginning. */
  readonly onRestored: () => void
}

/** By what keys this device's Delivery Service signs: those that it said first, and whatever they have signed for since. */
export class ServiceKeys implements Reloadable {
  readonly #options: ServiceKeysOptions
  #pinned: PinnedService | undefined

  constructor(options: ServiceKeysOptions) {
    this.#options = options
  }

  get pinned(): PinnedService | undefined {
    return this.#pinned
  }

  async reload(): Promise<void> {
    const record = await this.#options.store.get(recordKeys.service)
    this.#pinned = record === undefined ? undefined : decode(PinnedService, record)
  }

  /** Asks the service what it says of itself. `onRestored` is called in the place of what these options have for that. */
  async ask(signal: AbortSignal, onRestored = this.#options.onRestored): Promise<void> {
    const known = this.#pinned?.incarnation ?? 0n
    const { identity } = await this.#options.delivery.service(signal)
    // It was restored while the answer was under way, as another answer has said since.
    const isLate = identity.incarnation >= known && identity.incarnation < (this.#pinned?.incarnation ?? 0n)
    if (!isLate) await this.#learn(identity, onRestored)
  }

  /** An event says what is news. A key that nothing connects to the one before is pinned as well: the person has been warned. */
  async #learn(identity: ServiceIdentity, onRestored: () => void): Promise<void> {
    const { provider, transactions, now } = this.#options
    const suite = serviceSuite(provider)
    await transactions.run(undefined, (transaction) => {
      const news = newsOf(suite, this.#pinned, identity)
      if (news.type === "same") return
      const isRestored = news.type === "succeeds" && news.pinned.incarnation > this.#pinned!.incarnation
      const restoredAt = isRestored ? BigInt(now()) : this.#pinned?.restoredAt
      this.#pinned = { ...news.pinned, restoredAt }
      transaction.put(recordKeys.service, encode(PinnedService, this.#pinned))
      if (isRestored) {
        // What comes into the inbox has the numbers again of what the backup lacks.
        transaction.profile = { ...transaction.profile, inboxCursor: 0n }
        transaction.after(onRestored)
        // Key packages that have been used are handed out again.
        transaction.put(recordKeys.keyPackagesDue, encode(KeyPackagesDue, { since: restoredAt! }))
        transaction.emit({ type: "service", conversation: undefined, change: "restored", reason: "" })
      }
      if (news.type === "replaced") {
        transaction.emit({ type: "service", conversation: undefined, change: "replaced", reason: news.reason })
      }
    })
  }
}
