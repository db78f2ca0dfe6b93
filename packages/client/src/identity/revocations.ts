import { decode, encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import {
  includes,
  isRevocation,
  type KnownRevocation,
  newRevocations,
  type VerifyEndorsement,
} from "@conclave/identity/verdicts"
import { hex } from "../bytes.js"
import type { Reloadable, Transaction, Transactions } from "../journal/transactions.js"
import { RevokedDevices, recordKeys } from "../records/records.js"
import type { Listing } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"
import type { Identity } from "./identity.js"

export interface RevocationsOptions {
  readonly store: SealedStore
  readonly transactions: Transactions
  readonly identity: Pick<Identity, "name" | "suite" | "signatureKey">
  readonly pinned: (name: string) => Promise<readonly Uint8Array[]>
  readonly verifyEndorsement: VerifyEndorsement
  /** Unix time in milliseconds. */
  readonly now: () => number
  /** Called once it is stored that devices were revoked. */
  readonly onRevoked: () => void
}

/** Which keys a device knows to be revoked, as a step of a conversation asks. */
export interface RevokedKeys {
  /** How many: what was found with as many holds still. */
  readonly size: number
  /** This very device is one of them. */
  readonly isThisDevice: boolean
  /** When this device learned of it (Unix time in milliseconds); `undefined` for a key that is not revoked. */
  since(signatureKey: Uint8Array): number | undefined
}

/**
 * Devices that were revoked, as far as a statement holds: see `newRevocations`. They are kept with what is pinned, so a directory
 * that shows a device again, or the statement no more, brings nothing back.
 */
export class Revocations implements Reloadable, RevokedKeys {
  readonly #options: RevocationsOptions
  readonly #names = new Map<string, RevokedDevices["devices"]>()
  /** By signature key in hexadecimal. */
  readonly #since = new Map<string, number>()

  constructor(options: RevocationsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#since.size
  }

  get isThisDevice(): boolean {
    return this.since(this.#options.identity.signatureKey) !== undefined
  }

  since(signatureKey: Uint8Array): number | undefined {
    return this.#since.size === 0 ? undefined : this.#since.get(hex(signatureKey))
  }

  of(name: string): readonly KnownRevocation[] {
    return this.#names.get(name) ?? []
  }

  /** Statements that hold about devices which the directory lists as if there were none: it has been put back. */
  forgottenBy(name: string, { devices }: Listing): readonly KnownRevocation[] {
    const listed = devices.map(({ signatureKey }) => signatureKey)
    return this.of(name).filter(({ device }) => includes(listed, device.signatureKey))
  }

  async reload(): Promise<void> {
    const records = await this.#options.store.list(recordKeys.revoked)
    this.#names.clear()
    this.#since.clear()
    for (const [, record] of records) this.#remember(decode(RevokedDevices, record))
  }

  /** Takes what the directory says about a name, before anything is concluded from the rest of its answer. */
  async heard(name: string, { devices, revoked }: Listing): Promise<void> {
    const { transactions, pinned: pinnedFor, verifyEndorsement, identity, onRevoked } = this.#options
    if (revoked.every(({ revocation }) => revocation === undefined)) return
    const pinned = await pinnedFor(name)
    const find = () =>
      newRevocations({
        ...{ name, pinned, devices, revoked, known: this.of(name), verifyEndorsement },
        verifyRevocation: (claim) => isRevocation(identity.suite, claim),
      })
    if (find().length === 0) return
    await transactions.run(undefined, (transaction) => {
      const news = find()
      if (news.length === 0) return
      this.#keep(transaction, name, news)
      for (const { device } of news) {
        const { signatureKey } = device
        // What was over when this device met the person is no news.
        if (name !== identity.name && !includes(pinned, signatureKey)) continue
        transaction.emit({ type: "deviceRevoked", conversation: undefined, name, signatureKey, by: "" })
      }
      transaction.after(onRevoked)
    })
  }

  #keep(transaction: Transaction, name: string, news: readonly KnownRevocation[]): void {
    const { now, identity } = this.#options
    const isOwn = ({ revocation }: KnownRevocation) => equalBytes(revocation.revokerKey, identity.signatureKey)
    const isReplaced = (known: KnownRevocation) =>
      news.some(({ device }) => equalBytes(device.signatureKey, known.device.signatureKey))
    const kept = (this.#names.get(name) ?? []).filter((it) => !isReplaced(it))
    const record = { name, devices: [...kept, ...news.map((it) => ({ ...it, since: isOwn(it) ? 0n : BigInt(now()) }))] }
    transaction.put(recordKeys.revokedOf(this.#options.store.hiddenName(name)), encode(RevokedDevices, record))
    // In memory at once; a transaction that fails forgets all of it.
    this.#remember(record)
  }

  #remember({ name, devices }: RevokedDevices): void {
    this.#names.set(name, devices)
    for (const { device, since } of devices) this.#since.set(hex(device.signatureKey), Number(since))
  }
}
