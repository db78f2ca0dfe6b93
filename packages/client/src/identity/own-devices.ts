import { decode, encode } from "@conclave/codec"
import type { Device } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import { includes } from "@conclave/identity/verdicts"
import type { Transactions } from "../journal/transactions.js"
import { Pins, recordKeys } from "../records/records.js"
import type { Directory, Listing } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"
import type { Identity } from "./identity.js"
import type { Judge } from "./judge.js"
import { tellKeyChange } from "./key-changes.js"

export interface OwnDevicesOptions {
  readonly identity: Pick<Identity, "name" | "signatureKey">
  readonly store: SealedStore
  readonly transactions: Transactions
  readonly judge: Judge
  readonly directory: Pick<Directory, "devices" | "listing">
  readonly isRevoked: (name: string, signatureKey: Uint8Array) => boolean
  /** Whether a recovery key of this device's name has endorsed it. */
  readonly isRecovered: (device: Device) => boolean
  /** Whom this device has to do with. */
  readonly people: () => readonly string[]
  /** Called with what the directory says of this device's name. */
  readonly onListed: (listing: Listing, signal: AbortSignal) => Promise<void>
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

  /** There is a reason to look now. */
  hasten(): void {
    this.#due = 0
  }

  /** Does nothing before {@link due}. Rejects with `UNAVAILABLE`. */
  async check(signal: AbortSignal): Promise<void> {
    const { identity, judge, now, transactions, store, acceptEndorsed, directory, isRevoked } = this.#options
    const { onUnlisted, onListed, isRecovered } = this.#options
    const { name, signatureKey: own } = identity
    const wait = this.#due - now()
    // A longer one is of a clock that has been set meanwhile.
    if (wait > 0 && wait <= CHECK_MILLISECONDS) return
    const listing = await directory.listing(name, signal)
    await onListed(listing, signal)
    const live = listing.devices.filter((device) => !isRevoked(name, device.signatureKey))
    const listed = await judge.knownAmong(name, live)
    await this.#lookAtSomebody(signal)
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
        tellKeyChange(transaction, undefined, {
          name,
          signatureKey,
          endorsed,
          accepted,
          recovered: isRecovered(device),
        })
      }
      if (news.length === 0) return
      transaction.put(recordKeys.strangeDevices, encode(Pins, { name, signatureKeys: [...told, ...news] }))
    })
  }

  /**
   * Asks about one person, each time about another one: whether a device of theirs was revoked. Members of a conversation have
   * asked about all of it together before long, and whoever learns of one takes it out for the others.
   */
  async #lookAtSomebody(signal: AbortSignal): Promise<void> {
    const { directory, people, identity, now } = this.#options
    const names = people().filter((name) => name !== identity.name)
    if (names.length === 0) return
    const [high = 0, low = 0] = identity.signatureKey
    const turn = Math.floor(now() / CHECK_MILLISECONDS) + 256 * high + low
    await directory.devices(names[turn % names.length]!, signal)
  }
}
