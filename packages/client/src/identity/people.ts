import { decode, encode } from "@conclave/codec"
import { DISPLAY_NAME_LABEL, type DisplayName, DisplayNameTBS } from "@conclave/contracts/auth"
import { judgeDisplayName } from "@conclave/contracts/names"
import { equalBytes } from "@conclave/crypto"
import { signWithLabel, verifyWithLabel } from "@conclave/mls"
import { ClientError } from "../errors.js"
import type { Reloadable, Transaction, Transactions } from "../journal/transactions.js"
import { Person, recordKeys } from "../records/records.js"
import type { Directory } from "../service/directory.js"
import type { SealedStore } from "../store/sealed.js"
import type { Timers } from "../timers.js"
import type { Identity } from "./identity.js"
import type { Judge } from "./judge.js"

/** Statements that wait for a key of their name to be trusted. */
const UNVERIFIED_MAX = 20_000
/** In bytes; more than any signature of a cipher suite has. */
const SIGNATURE_SIZE_MAX = 512
/** Verified and stored in one transaction: between two, the program does other things. */
const BATCH = 32
const ATTEMPTS = 3

export interface PeopleOptions {
  readonly store: SealedStore
  readonly transactions: Transactions
  readonly directory: Directory
  readonly identity: Identity
  readonly judge: Judge
  readonly isRevoked: (name: string, signatureKey: Uint8Array) => boolean
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly timers: Timers
}

interface Claim {
  readonly displayName: DisplayName
  /** A key of the name was pinned before the directory answered: what it says then is news, not an introduction. */
  readonly isNews: boolean
}

/**
 * Display names. The directory passes on what a device of a name has signed; here it is believed only once the device's
 * key is pinned for the name, and only if it is later than what was believed before. The directory can withhold a
 * statement; it cannot make one up, and not bring an old one back.
 */
export class People implements Reloadable {
  readonly #options: PeopleOptions
  readonly #known = new Map<string, Person>()
  /** By name, the oldest first. */
  readonly #unverified = new Map<string, Claim>()
  /** Those of them that a pinned key may have signed. */
  readonly #ready = new Set<string>()
  #verifying: Promise<void> | undefined
  #isEnded = false

  constructor(options: PeopleOptions) {
    this.#options = options
  }

  /** As last verified; `undefined` where there is none. */
  displayName(name: string): string | undefined {
    return this.#known.get(name)?.text || undefined
  }

  async reload(): Promise<void> {
    const records = await this.#options.store.list(recordKeys.people)
    const people = records.map(([, record]) => decode(Person, record))
    this.#known.clear()
    for (const person of people) this.#known.set(person.name, person)
  }

  /** Takes what the directory says about a name, before anything is concluded from the rest of its answer. */
  async heard(name: string, displayName: DisplayName | undefined): Promise<void> {
    const known = this.#known.get(name)
    if (displayName === undefined || (known !== undefined && known.at >= displayName.at)) return
    if (displayName.signature.length > SIGNATURE_SIZE_MAX) return
    if (displayName.text !== "" && judgeDisplayName(displayName.text).text !== displayName.text) return
    const isNews = (await this.#options.judge.pinned(name)).length > 0
    this.#unverified.delete(name)
    this.#unverified.set(name, { displayName, isNews })
    if (this.#unverified.size > UNVERIFIED_MAX) this.#unverified.delete(this.#unverified.keys().next().value!)
    if (isNews) this.pinned(name)
  }

  /** A key has been pinned for a name, in a transaction that has been completed. */
  pinned(name: string): void {
    if (!this.#unverified.has(name)) return
    this.#ready.add(name)
    this.#verify()
  }

  /** Resolves when everything that can be verified has been. */
  async settled(): Promise<void> {
    while (this.#verifying !== undefined) await this.#verifying
  }

  /** Nothing is begun any more; resolves when what has begun is complete. */
  async end(): Promise<void> {
    this.#isEnded = true
    await this.settled()
  }

  /**
   * Signs and publishes this person's display name; empty withdraws it. Throws `TypeError` for text that is none, and
   * `ClientError` `REFUSED` or `UNAVAILABLE`; then the one before stands.
   */
  async set(text: string, signal?: AbortSignal): Promise<void> {
    const { directory, identity, now } = this.#options
    const normal = requireDisplayName(text)
    let at = this.#after(BigInt(now()), this.#known.get(identity.name)?.at)
    for (let attempt = 1; ; attempt++) {
      const displayName = this.#sign(normal, at)
      const kept = await directory.setDisplayName(identity.name, displayName, signal)
      if (equalBytes(kept.signature, displayName.signature)) return this.#keepOwn(displayName)
      // Another device of this person was faster, or its clock is ahead.
      if (attempt === ATTEMPTS) throw new ClientError("REFUSED", "the directory keeps another display name")
      at = this.#after(at, kept.at)
    }
  }

  #after(at: bigint, before: bigint | undefined): bigint {
    return before === undefined || at > before ? at : before + 1n
  }

  #sign(text: string, at: bigint): DisplayName {
    const { identity } = this.#options
    const content = encode(DisplayNameTBS, { name: identity.name, text, at })
    const signature = signWithLabel(identity.signer.key, DISPLAY_NAME_LABEL, content)
    return { text, at, deviceId: identity.deviceId, signature }
  }

  async #keepOwn(displayName: DisplayName): Promise<void> {
    const { transactions, identity } = this.#options
    await transactions.run(undefined, (transaction) => this.#keep(transaction, identity.name, displayName))
  }

  #keep(transaction: Transaction, name: string, { text, at }: DisplayName): void {
    const person = { name, text, at }
    transaction.put(recordKeys.person(this.#options.store.hiddenName(name)), encode(Person, person))
    transaction.after(() => this.#known.set(name, person))
  }

  #verify(): void {
    if (this.#isEnded || this.#verifying !== undefined) return
    // Names that one transaction has pinned are verified together.
    this.#verifying = Promise.resolve()
      .then(() => this.#verifyAll())
      // A store that fails is told of by the transaction that wrote something; a display name is heard again.
      .catch(() => {})
      .finally(() => {
        this.#verifying = undefined
      })
  }

  async #verifyAll(): Promise<void> {
    while (this.#ready.size > 0 && !this.#isEnded) {
      const names = [...this.#ready].slice(0, BATCH)
      const verified: (readonly [string, Claim])[] = []
      for (const name of names) {
        this.#ready.delete(name)
        const claim = this.#unverified.get(name)
        if (claim !== undefined && (await this.#isSigned(name, claim.displayName))) verified.push([name, claim])
      }
      if (verified.length > 0)
        await this.#options.transactions.run(undefined, (transaction) => this.#believe(transaction, verified))
      await new Promise<void>((resolve) => this.#options.timers.after(0, resolve))
    }
  }

  #believe(transaction: Transaction, verified: readonly (readonly [string, Claim])[]): void {
    for (const [name, claim] of verified) {
      const { displayName, isNews } = claim
      transaction.after(() => {
        if (this.#unverified.get(name) === claim) this.#unverified.delete(name)
      })
      const known = this.#known.get(name)
      if (known !== undefined && known.at >= displayName.at) continue
      this.#keep(transaction, name, displayName)
      const before = known?.text || undefined
      const after = displayName.text || undefined
      if (isNews && before !== after)
        transaction.emit({ type: "displayName", conversation: undefined, name, before, after })
    }
  }

  /** By a device of the name whose key is pinned. */
  async #isSigned(name: string, { text, at, deviceId, signature }: DisplayName): Promise<boolean> {
    const { judge, identity } = this.#options
    const publicKey = (await judge.pinned(name)).find((key) => equalBytes(identity.deviceIdOf(key), deviceId))
    if (publicKey === undefined || this.#options.isRevoked(name, publicKey)) return false
    const content = encode(DisplayNameTBS, { name, text, at })
    return verifyWithLabel(identity.suite, { publicKey, label: DISPLAY_NAME_LABEL, content, signature })
  }
}

/** In its normal form; empty for the empty text. Throws `TypeError` where it is no display name. */
export function requireDisplayName(text: string): string {
  if (text === "") return text
  const judged = judgeDisplayName(text)
  if (judged.text === undefined) throw new TypeError(`${JSON.stringify(text)} is not a display name: ${judged.fault}`)
  return judged.text
}
