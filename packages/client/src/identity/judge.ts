import { decode, encode } from "@conclave/codec"
import type { Device } from "@conclave/contracts/auth"
import {
  claimedKeys,
  includes,
  type Judgement,
  type JudgingPolicy,
  judge,
  judgeDevices,
  type KnownDevice,
  type KnownName,
  type KnownRevocation,
  type Pin,
  withPin,
} from "@conclave/identity/verdicts"
import type { CredentialClaim } from "@conclave/mls"
import type { Reloadable, Transaction } from "../journal/transactions.js"
import { Pins, recordKeys } from "../records/records.js"
import { Unavailable } from "../service/call.js"
import { concurrently } from "../service/concurrently.js"
import type { Directory } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"

export interface JudgeOptions extends JudgingPolicy {
  readonly store: SealedStore
  readonly directory: Pick<Directory, "devices">
  /** What is known to be revoked of a name. */
  readonly revocations?: (name: string) => readonly KnownRevocation[]
  /** What is known of a name's recovery keys. */
  readonly recovery?: (name: string) => KnownName["recovery"]
  /** Keys of a name that the directory says were revoked, unverified. */
  readonly saidRevoked?: (name: string) => readonly Uint8Array[]
  /** Called with a name once a key that was pinned for it is stored. */
  readonly onPinned?: (name: string) => void
}

/** Brings what {@link judge} needs, from the store and the directory, and keeps the pins that follow. */
export class Judge implements Reloadable {
  readonly #store: SealedStore
  readonly #directory: Pick<Directory, "devices">
  readonly #policy: JudgingPolicy
  readonly #revocations: (name: string) => readonly KnownRevocation[]
  readonly #recovery: (name: string) => KnownName["recovery"]
  readonly #saidRevoked: (name: string) => readonly Uint8Array[]
  readonly #onPinned: (name: string) => void
  readonly #known = new Map<string, readonly Uint8Array[]>()

  constructor({ store, directory, revocations, recovery, saidRevoked, onPinned, ...policy }: JudgeOptions) {
    this.#store = store
    this.#directory = directory
    this.#policy = policy
    this.#revocations = revocations ?? (() => [])
    this.#recovery = recovery ?? (() => undefined)
    this.#saidRevoked = saidRevoked ?? (() => [])
    this.#onPinned = onPinned ?? (() => {})
  }

  /**
   * Judges all claims of one commit together: about a name the directory is asked once, and only where a key is not
   * pinned. Rejects with `UNAVAILABLE`; then nothing is decided.
   */
  async judge(claims: readonly CredentialClaim[], signal: AbortSignal): Promise<Judgement> {
    return judge(claims, await this.#lookUp(claims, signal), this.#policy)
  }

  /** The devices that the directory lists for a name, and what this judge would say of each. */
  async devices(name: string, signal: AbortSignal): Promise<readonly KnownDevice[]> {
    return this.knownAmong(name, await this.#directory.devices(name, signal))
  }

  /** What this judge would say of each of the devices, which the directory lists for a name. */
  async knownAmong(name: string, devices: readonly Device[]): Promise<readonly KnownDevice[]> {
    const pinned = await this.pinned(name)
    return judgeDevices(
      name,
      { pinned, devices, revocations: this.#revocations(name), recovery: this.#recovery(name) },
      this.#policy,
    )
  }

  async pinned(name: string): Promise<readonly Uint8Array[]> {
    return this.#known.get(name) ?? this.#load(name)
  }

  async #load(name: string): Promise<readonly Uint8Array[]> {
    const record = await this.#store.get(recordKeys.pins(this.#store.hiddenName(name)))
    const pins = record === undefined ? undefined : decode(Pins, record)
    const keys = pins?.name === name ? pins.signatureKeys : []
    this.#known.set(name, keys)
    return keys
  }

  /**
   * The keys of the name must have been asked for with {@link pinned} or {@link judge} before. Returns whether this one
   * is new among them.
   *
   * @throws Unavailable where somebody else was met under this name since the judgement: it has to be made again
   */
  pin(transaction: Transaction, pin: Pin): boolean {
    const { name } = pin
    const keys = this.#known.get(name)
    if (keys === undefined) throw new TypeError("pins are read before they are added to")
    const signatureKeys = withPin(keys, pin)
    if (signatureKeys === undefined) throw new Unavailable(`keys of ${name} have been pinned meanwhile`)
    if (signatureKeys === keys) return false
    transaction.put(recordKeys.pins(this.#store.hiddenName(name)), encode(Pins, { name, signatureKeys }))
    // In memory at once, so that two pins of one transaction add up; a failed transaction forgets all of it.
    this.#known.set(name, signatureKeys)
    transaction.after(() => this.#onPinned(name))
    return true
  }

  async reload(): Promise<void> {
    for (const name of [...this.#known.keys()]) await this.#load(name)
  }

  async #lookUp(claims: readonly CredentialClaim[], signal: AbortSignal): Promise<ReadonlyMap<string, KnownName>> {
    const names = [...claimedKeys(claims)]
    const known = await concurrently(names, async ([name, claimed]): Promise<[string, KnownName]> => {
      const pinned = await this.pinned(name)
      const isKnown = claimed.every((key) => includes(pinned, key))
      const devices = isKnown ? undefined : await this.#directory.devices(name, signal)
      // After the question: its answer may have told of a revocation.
      const [recovery, saidRevoked] = [this.#recovery(name), this.#saidRevoked(name)]
      return [name, { pinned, devices, revocations: this.#revocations(name), recovery, saidRevoked }]
    })
    return new Map(known)
  }
}
