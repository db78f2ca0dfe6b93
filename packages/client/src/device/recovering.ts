import { encode } from "@conclave/codec"
import {
  RECOVERY_KEY_LABEL,
  RECOVERY_REPLACEMENT_LABEL,
  type RecoveryKey,
  RecoveryKeyTBS,
  recoveryIdOf,
} from "@conclave/contracts/auth"
import { equalBytes, type SigningKey } from "@conclave/crypto"
import { verifyRecovery } from "@conclave/identity/verdicts"
import { signWithLabel } from "@conclave/mls"
import type { OwnDevice, Recovery } from "../client.js"
import { ClientError } from "../errors.js"
import type { Identity, RecoveryAuthor } from "../identity/identity.js"
import type { Recoveries } from "../identity/recoveries.js"
import { makeRecoveryText, recoverySigner } from "../identity/recovery-secret.js"
import type { Transaction, Transactions } from "../journal/transactions.js"
import type { Directory, Listing } from "../service/directory.js"
import type { Account } from "./account.js"
import type { ConversationHandle } from "./handle.js"
import type { Revoking } from "./revoking.js"

export interface RecoveringOptions {
  readonly directory: Directory
  readonly identity: Identity
  readonly transactions: Transactions
  readonly recoveries: Recoveries
  readonly revoking: Revoking
  readonly account: Account
  readonly conversations: () => Iterable<ConversationHandle>
  readonly random: (length: number) => Uint8Array
  /** Unix time in milliseconds. */
  readonly now: () => number
  /** Ends with the client. */
  readonly signal: AbortSignal
}

/** In milliseconds: further ahead of its own clock the service takes no statement. */
const CLOCK_DIFFERENCE_MAX = 86_400_000n

/** The recovery key of this device's name. */
export class Recovering implements Recovery {
  readonly #options: RecoveringOptions

  constructor(options: RecoveringOptions) {
    this.#options = options
  }

  reload(): Promise<void> {
    return this.#options.recoveries.reload()
  }

  make(): string {
    const { identity, random } = this.#options
    return makeRecoveryText(identity.suite.provider, random)
  }

  async isSet({ signal }: { readonly signal?: AbortSignal } = {}): Promise<boolean> {
    const { directory, identity, recoveries } = this.#options
    const { recovery } = await directory.listing(identity.name, this.#until(signal))
    return recovery.length > 0 || recoveries.of(identity.name) !== undefined
  }

  async set(text: string, { replaces, signal }: Parameters<Recovery["set"]>[1] = {}): Promise<void> {
    const { directory, identity, transactions } = this.#options
    const { name, signer } = identity
    const until = this.#until(signal)
    using key = this.#signer(text)
    using before = replaces === undefined ? undefined : this.#signer(replaces)
    const listing = await directory.listing(name, until)
    const { recovery } = listing
    const last = recovery.at(-1)
    // Done before, by a call that did not hear of it.
    if (last !== undefined && equalBytes(last.recoveryKey, key.publicKey)) return this.#keep(recovery, key)
    if (last !== undefined && before === undefined) {
      throw new ClientError("REFUSED", `${name} has a recovery key: only that replaces it`)
    }
    if (before !== undefined && (last === undefined || !equalBytes(last.recoveryKey, before.publicKey))) {
      throw new ClientError("REFUSED", `what is to be replaced is not the recovery key of ${name}`)
    }
    // The time of the one before is signed, and no directory's.
    if (before !== undefined) this.#requireHeld(recovery, before)
    const statement = this.#statement(key, before ?? signer.key, listing)
    const keys = await directory.setRecoveryKey(name, statement, until)
    await this.#keep(keys, key)
    transactions.notify()
  }

  async revokeDevice(
    id: string,
    text: string,
    { keep = [], signal }: Parameters<Recovery["revokeDevice"]>[2] = {},
  ): Promise<readonly OwnDevice[]> {
    const until = this.#until(signal)
    const { author } = await this.open(text, until)
    using _ = author.key
    return await this.#options.revoking.revoke(id, keep, until, { ...author, isRecovery: true })
  }

  async eraseAccount(text: string): Promise<void> {
    const { account, conversations, signal } = this.#options
    const { author } = await this.open(text, signal)
    using _ = author.key
    await account.erase(conversations(), author)
  }

  /**
   * Of the name, if it is its recovery key, and all of them; the key is to be disposed.
   *
   * @throws TypeError, ClientError `REFUSED` or `UNAVAILABLE`
   */
  async open(
    text: string,
    signal: AbortSignal,
  ): Promise<{ readonly author: RecoveryAuthor; readonly keys: readonly RecoveryKey[] }> {
    const { directory, identity } = this.#options
    const key = this.#signer(text)
    try {
      const { recovery } = await directory.listing(identity.name, signal)
      this.#requireHeld(recovery, key)
      const id = recoveryIdOf((...parts) => identity.sha256(...parts), key.publicKey)
      return { author: { key, id }, keys: recovery }
    } catch (error) {
      key[Symbol.dispose]()
      throw error
    }
  }

  /** Whoever has the secret needs no device to vouch for it. */
  trust(transaction: Transaction, keys: readonly RecoveryKey[]): void {
    const { recoveries, identity } = this.#options
    recoveries.keep(transaction, identity.name, keys)
  }

  async #keep(keys: readonly RecoveryKey[], key: SigningKey): Promise<void> {
    this.#requireHeld(keys, key)
    await this.#options.transactions.run(undefined, (transaction) => this.trust(transaction, keys))
  }

  /** Each of them has to follow from the one before, or the directory shows somebody else's. */
  #requireHeld(keys: readonly RecoveryKey[], key: SigningKey): void {
    const { identity } = this.#options
    const { isStatement } = verifyRecovery(identity.suite, identity.suite.provider)
    const last = keys.at(-1)
    const isChain = keys.every((it, at) => {
      const before = keys[at - 1]
      const as = before === undefined ? ("first" as const) : ("replacement" as const)
      return (
        isStatement(identity.name, it, as) && (before === undefined || equalBytes(before.recoveryKey, it.signerKey))
      )
    })
    if (last !== undefined && equalBytes(last.recoveryKey, key.publicKey) && isChain) return
    throw new ClientError("REFUSED", `this is not the recovery key of ${identity.name}`)
  }

  #statement(key: SigningKey, by: SigningKey, listing: Listing): RecoveryKey {
    const { identity } = this.#options
    const at = this.#time(listing)
    const said = { recoveryKey: key.publicKey, signerKey: by.publicKey, at }
    const content = encode(RecoveryKeyTBS, { name: identity.name, ...said })
    const label = listing.recovery.length === 0 ? RECOVERY_KEY_LABEL : RECOVERY_REPLACEMENT_LABEL
    const sign = (it: SigningKey) => signWithLabel(it, label, content)
    return { ...said, signature: sign(by), proof: sign(key) }
  }

  /**
   * After all that was said before, whatever clock said it: others take the first recovery key from nobody whom an older device
   * could still contradict then, and what a key has said after it was replaced for nothing. A directory makes it a day later at most.
   */
  #time({ devices, revoked, recovery }: Listing): bigint {
    const time = BigInt(this.#options.now())
    const latest = time + CLOCK_DIFFERENCE_MAX
    const said = [
      ...[...devices, ...revoked.map(({ device }) => device)].map(({ registeredAt }) => registeredAt),
      ...revoked.flatMap(({ revocation }) => revocation?.at ?? []),
    ]
    const at = said.reduce((at, before) => (before >= at && before < latest ? before + 1n : at), time)
    const last = recovery.at(-1)
    return last !== undefined && last.at >= at ? last.at + 1n : at
  }

  #signer(text: string): SigningKey {
    const { identity } = this.#options
    return recoverySigner(identity.suite.provider, identity.name, text)
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    const { signal: closing } = this.#options
    return signal === undefined ? closing : AbortSignal.any([closing, signal])
  }
}
