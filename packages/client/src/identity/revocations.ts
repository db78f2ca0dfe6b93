import { decode, encode } from "@conclave/codec"
import { RECOVERY_SUITE, type RevokedDevice } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import {
  includes,
  isRetired,
  isRevocation,
  type KnownRevocation,
  newRevocations,
  type RecoveryAuthority,
  type VerifyEndorsement,
} from "@conclave/identity/verdicts"
import { cipherSuite } from "@conclave/mls"
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
  /** The trusted recovery keys of a name. */
  readonly recovery: (name: string) => RecoveryAuthority | undefined
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
  /**
   * When this device learned of it (Unix time in milliseconds); `undefined` for a key that no device of this name has revoked: a
   * statement about a key says nothing of it under another name.
   */
  since(name: string, signatureKey: Uint8Array): number | undefined
}

const NONE: readonly KnownRevocation[] = []

/** Names whose statements wait until somebody of the name has been met. */
const UNMET_MAX = 256

/**
 * Devices that were revoked, as far as a statement holds: see `newRevocations`. They are kept with what is pinned, so a directory
 * that shows a device again, or the statement no more, brings nothing back.
 */
export class Revocations implements Reloadable, RevokedKeys {
  readonly #options: RevocationsOptions
  readonly #names = new Map<string, RevokedDevices["devices"]>()
  /** By signature key in hexadecimal, and name. */
  readonly #since = new Map<string, number>()

  /** What was heard of names for which nothing is pinned. */
  readonly #unmet = new Map<string, Listing>()

  constructor(options: RevocationsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#since.size
  }

  get isThisDevice(): boolean {
    const { name, signatureKey } = this.#options.identity
    return this.since(name, signatureKey) !== undefined
  }

  since(name: string, signatureKey: Uint8Array): number | undefined {
    return this.#since.size === 0 ? undefined : this.#since.get(`${hex(signatureKey)} ${name}`)
  }

  of(name: string): readonly KnownRevocation[] {
    return this.#names.get(name) ?? NONE
  }

  /** Keys that the directory says were revoked, of a name for which nothing is pinned. */
  saidOf(name: string): readonly Uint8Array[] {
    return this.#unmet.get(name)?.revoked.map(({ device }) => device.signatureKey) ?? []
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

  /** A key has been pinned for a name: what was heard before rests on that now. */
  async met(name: string): Promise<void> {
    const listing = this.#unmet.get(name)
    this.#unmet.delete(name)
    if (listing !== undefined) await this.heard(name, listing, { isNews: false })
  }

  /** Takes what the directory says about a name, before anything is concluded from the rest of its answer. */
  async heard(name: string, listing: Listing, { isNews = true } = {}): Promise<void> {
    const { devices, revoked } = listing
    const { transactions, pinned: pinnedFor, verifyEndorsement, identity, onRevoked, recovery } = this.#options
    if (revoked.every(({ revocation }) => revocation === undefined)) return
    const pinned = await pinnedFor(name)
    this.#unmet.delete(name)
    if (pinned.length === 0) this.#unmet.set(name, listing)
    if (this.#unmet.size > UNMET_MAX) this.#unmet.delete(this.#unmet.keys().next().value!)
    // Of somebody whom nobody here has met, others would rest on the directory's word alone, and stay.
    const isBelievable = (it: RevokedDevice) =>
      pinned.length > 0 || (it.revocation !== undefined && isRetired({ revocation: it.revocation }))
    const believable = revoked.map((it) => (isBelievable(it) ? it : { ...it, revocation: undefined }))
    // The recovery key signs by its own suite, whichever the devices have.
    const suites = [identity.suite, cipherSuite(RECOVERY_SUITE, identity.suite.provider)]
    const findAmong = (known: readonly KnownRevocation[]) =>
      newRevocations({
        ...{ name, pinned, devices, revoked: believable, known, verifyEndorsement, recovery: recovery(name) },
        verifyRevocation: (claim) => suites.some((suite) => isRevocation(suite, claim)),
      })
    const before = this.of(name)
    const found = findAmong(before)
    if (found.length === 0) return
    await transactions.run(undefined, (transaction) => {
      // Hundreds of signatures are not verified twice where nothing has come in between.
      const known = this.of(name)
      const news = known === before ? found : findAmong(known)
      if (news.length === 0) return
      this.#keep(transaction, name, news)
      for (const { device } of news) {
        const { signatureKey } = device
        // What was over when this device met the person is no news.
        if (!isNews || (name !== identity.name && !includes(pinned, signatureKey))) continue
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
    for (const { device, since } of devices) this.#since.set(`${hex(device.signatureKey)} ${name}`, Number(since))
  }
}
