import { decode, encode } from "@conclave/codec"
import type { RecoveryKey } from "@conclave/contracts/auth"
import { equalBytes } from "@conclave/crypto"
import {
  KnownRecovery,
  type KnownRevocation,
  rootOf,
  trustedRecovery,
  type VerifyEndorsement,
  type VerifyRecovery,
} from "@conclave/identity/verdicts"
import type { Reloadable, Transaction, Transactions } from "../journal/transactions.js"
import { RecoveryKeys, recordKeys } from "../records/records.js"
import type { Listing } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"
import type { Identity } from "./identity.js"

export interface RecoveriesOptions {
  readonly store: SealedStore
  readonly transactions: Transactions
  readonly identity: Pick<Identity, "name">
  readonly pinned: (name: string) => Promise<readonly Uint8Array[]>
  readonly revocations: (name: string) => readonly KnownRevocation[]
  readonly verifyEndorsement: VerifyEndorsement
  readonly verify: VerifyRecovery
}

interface Heard {
  readonly isNews?: boolean
  /** Revocations that were known before this listing. */
  readonly before?: readonly KnownRevocation[]
}

/** Names whose recovery keys wait until somebody of the name has been met. */
const UNMET_MAX = 256

/**
 * Recovery keys of names, pinned as their devices' keys are: the first one that a trusted oldest device has signed, and after that
 * what the one before has signed. A directory that shows another one, or none, changes nothing.
 */
export class Recoveries implements Reloadable {
  readonly #options: RecoveriesOptions
  readonly #kept = new Map<string, { readonly record: RecoveryKeys; readonly known: KnownRecovery }>()
  readonly #unmet = new Map<string, { readonly listing: Listing; readonly known: KnownRecovery }>()

  constructor(options: RecoveriesOptions) {
    this.#options = options
  }

  of(name: string): KnownRecovery | undefined {
    const kept = this.#kept.get(name)
    return kept === undefined || kept.record.keys.length === 0 ? undefined : kept.known
  }

  /** As a judge asks: of a name that nobody here has met, on the directory's word, as the rest. */
  known(name: string) {
    const known = this.of(name)
    if (known !== undefined) return { hasEndorsed: known.hasEndorsed }
    const unmet = this.#unmet.get(name)
    if (unmet === undefined) return undefined
    const { devices, revoked } = unmet.listing
    const [root] = rootOf([...devices, ...revoked.map(({ device }) => device)])
    return { hasEndorsed: unmet.known.hasEndorsed, root }
  }

  async reload(): Promise<void> {
    const records = await this.#options.store.list(recordKeys.recovery)
    this.#kept.clear()
    for (const [, record] of records) this.#remember(decode(RecoveryKeys, record))
  }

  /** A key has been pinned for a name: what was heard before rests on that now. */
  async met(name: string): Promise<void> {
    const { listing } = this.#unmet.get(name) ?? {}
    this.#unmet.delete(name)
    if (listing !== undefined) await this.heard(name, listing, { isNews: false })
  }

  /** Takes what the directory says about a name. Resolves with whether a recovery key is trusted that was not before. */
  async heard(name: string, listing: Listing, { isNews = true, before: earlier }: Heard = {}): Promise<boolean> {
    const { devices, revoked, recovery } = listing
    const { pinned: pinnedFor, revocations, verifyEndorsement, verify, transactions, identity } = this.#options
    const before = this.#kept.get(name)?.record
    const known = before?.keys ?? []
    const last = recovery.at(-1)
    if (
      last === undefined ||
      (recovery.length === known.length && equalBytes(known.at(-1)!.signature, last.signature))
    ) {
      return false
    }
    const pinned = await pinnedFor(name)
    const asked = { name, pinned, devices, revoked, recovery, known, verifyEndorsement, verify }
    const trusted = trustedRecovery({ ...asked, revocations: revocations(name), ...(earlier && { before: earlier }) })
    this.#unmet.delete(name)
    if (pinned.length === 0 && known.length === 0) {
      if (trusted !== "other") this.#unmet.set(name, { listing, known: new KnownRecovery(name, trusted, verify) })
      if (this.#unmet.size > UNMET_MAX) this.#unmet.delete(this.#unmet.keys().next().value!)
      return false
    }
    if (trusted === "other") {
      // Of somebody else without one, it is nothing that this device would act upon.
      if (known.length === 0 && name !== identity.name) return false
      if (equalBytes(before?.toldOf ?? new Uint8Array(), last.signature)) return false
      await transactions.run(undefined, (transaction) => {
        this.#put(transaction, { name, keys: [...known], toldOf: last.signature })
        transaction.emit({ type: "recoveryKey", conversation: undefined, name, change: "refused" })
      })
      return false
    }
    if (trusted.length === known.length) return false
    await transactions.run(undefined, (transaction) => {
      this.keep(transaction, name, trusted)
      if (!isNews || name !== identity.name) return
      const change = known.length === 0 ? "made" : "replaced"
      transaction.emit({ type: "recoveryKey", conversation: undefined, name, change })
    })
    return true
  }

  /** Trusted, by whoever has the secret or has verified it. */
  keep(transaction: Transaction, name: string, keys: readonly RecoveryKey[]): void {
    this.#put(transaction, { name, keys: [...keys], toldOf: new Uint8Array() })
  }

  #put(transaction: Transaction, record: RecoveryKeys): void {
    const { store } = this.#options
    transaction.put(recordKeys.recoveryOf(store.hiddenName(record.name)), encode(RecoveryKeys, record))
    // In memory at once; a transaction that fails forgets all of it.
    this.#remember(record)
  }

  #remember(record: RecoveryKeys): void {
    const known = new KnownRecovery(record.name, record.keys, this.#options.verify)
    this.#kept.set(record.name, { record, known })
  }
}
