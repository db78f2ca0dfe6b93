import type { RecoveryKey } from "@conclave/contracts/auth"
import type { OwnDevice, Recovery } from "../client.js"
import { ClientError } from "../errors.js"
import type { Recoveries } from "../identity/recoveries.js"
import { makeRecoveryText } from "../identity/recovery-text.js"
import type { Transaction, Transactions } from "../journal/transactions.js"
import type { Account } from "./account.js"
import type { ConversationHandle } from "./handle.js"
import type { OpenedRecovery, RecoveryMeans } from "./recovery-calls.js"
import type { Revoking } from "./revoking.js"

export interface RecoveringOptions extends RecoveryMeans {
  readonly transactions: Transactions
  readonly recoveries: Recoveries
  readonly revoking: Revoking
  readonly account: Account
  readonly conversations: () => Iterable<ConversationHandle>
  readonly random: (length: number) => Uint8Array
  /** Ends with the client. */
  readonly signal: AbortSignal
}

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
    const { transactions } = this.#options
    const { setRecoveryKey } = await loadCalls()
    const keys = await setRecoveryKey(this.#options, { text, replaces }, this.#until(signal))
    await transactions.run(undefined, (transaction) => this.trust(transaction, keys))
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

  /** See `openRecovery`. */
  async open(text: string, signal: AbortSignal): Promise<OpenedRecovery> {
    const { openRecovery } = await loadCalls()
    return await openRecovery(this.#options, text, signal)
  }

  /** Whoever has the secret needs no device to vouch for it. */
  trust(transaction: Transaction, keys: readonly RecoveryKey[]): void {
    const { recoveries, identity } = this.#options
    recoveries.keep(transaction, identity.name, keys)
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    const { signal: closing } = this.#options
    return signal === undefined ? closing : AbortSignal.any([closing, signal])
  }
}

/** Bundlers make a file of its own of it, which may be out of reach: that says nothing of what was typed. */
async function loadCalls(): Promise<typeof import("./recovery-calls.js")> {
  try {
    return await import("./recovery-calls.js")
  } catch (error) {
    throw new ClientError("UNAVAILABLE", "a part of this program cannot be loaded", error)
  }
}
