import { encode } from "@conclave/codec"
import { ACCOUNT_LABEL, AccountTBS } from "@conclave/contracts/auth"
import { equalBytes, type SigningKey } from "@conclave/crypto"
import { signWithLabel } from "@conclave/mls"
import { ClientError } from "../errors.js"
import type { Identity } from "../identity/identity.js"
import type { Transactions } from "../journal/transactions.js"
import { WrongTime } from "../service/call.js"
import type { ServiceClock } from "../service/clock.js"
import type { Directory } from "../service/directory.js"
import type { ConversationHandle } from "./handle.js"

export interface AccountOptions {
  readonly directory: Directory
  readonly identity: Identity
  readonly clock: ServiceClock
  readonly transactions: Transactions
  readonly signal: AbortSignal
}

/** Who asks for all of the name: one of its devices, or its recovery key. */
interface AccountAuthor {
  readonly key: SigningKey
  readonly id: Uint8Array
}

/** All of this device's name, as the Authentication Service has it. */
export class Account {
  readonly #options: AccountOptions
  #isTold = false

  constructor(options: AccountOptions) {
    this.#options = options
  }

  async export(): Promise<string> {
    const answer = await this.#ask("export")
    if (answer.type === "account") return answer.document
    throw refused(answer)
  }

  /** Leaves the conversations first, those that can be left by then; a device that would be refused leaves none. */
  async erase(conversations: Iterable<ConversationHandle>, recovery?: AccountAuthor): Promise<void> {
    if (recovery === undefined) await this.#requireEntitled()
    await leaveAll(conversations)
    const answer = await this.#ask("erase", recovery)
    if (answer.type !== "erased") throw refused(answer)
    await this.#tell()
  }

  /** Tells, once, where the directory does not list this device because its name was erased. */
  async look(): Promise<void> {
    if (!this.#isTold && (await this.#ask("export")).type === "erased") await this.#tell()
  }

  async #requireEntitled(): Promise<void> {
    const { directory, identity, signal } = this.#options
    const { devices, recovery } = await directory.listing(identity.name, signal)
    if (recovery.length > 0) {
      throw new ClientError("REFUSED", `${identity.name} has a recovery key: only that erases the name`)
    }
    const [oldest] = devices
    if (oldest === undefined || equalBytes(oldest.signatureKey, identity.signatureKey)) return
    throw new ClientError("REFUSED", `only the oldest device of ${identity.name} erases the name`)
  }

  async #tell(): Promise<void> {
    if (this.#isTold) return
    const { transactions, identity } = this.#options
    this.#isTold = true
    await transactions.run(undefined, (transaction) => {
      transaction.emit({ type: "erased", conversation: undefined, name: identity.name })
    })
  }

  async #ask(wish: "export" | "erase", author: AccountAuthor = this.#own) {
    try {
      return await this.#asked(wish, author)
    } catch (error) {
      if (!(error instanceof WrongTime)) throw error
      this.#options.clock.learn(error.serviceTime)
      return this.#asked(wish, author)
    }
  }

  get #own(): AccountAuthor {
    const { signer, deviceId: id } = this.#options.identity
    return { key: signer.key, id }
  }

  #asked(wish: "export" | "erase", { key, id: deviceId }: AccountAuthor) {
    const { directory, identity, clock, signal } = this.#options
    const { name } = identity
    const at = BigInt(Math.floor(clock.now()))
    const content = encode(AccountTBS, { wish, name, deviceId, at })
    const signature = signWithLabel(key, ACCOUNT_LABEL, content)
    const type = wish === "export" ? ("exportAccount" as const) : ("eraseAccount" as const)
    return directory.account({ type, name, deviceId, at, signature }, signal)
  }
}

/** So long, at most, the service has for taking the requests to leave. */
const LEAVING_MILLISECONDS = 10_000

/** Those that cannot be left now are members' to remove: what they see is a member who never answers. */
async function leaveAll(conversations: Iterable<ConversationHandle>): Promise<void> {
  const signal = AbortSignal.timeout(LEAVING_MILLISECONDS)
  const leaving = [...conversations].filter(({ status }) => status === "active" || status === "invited")
  await Promise.allSettled(leaving.map((conversation) => conversation.leaveBy(signal)))
}

function refused(answer: { readonly type: string; readonly reason?: string }): ClientError {
  return new ClientError("REFUSED", `the directory said ${answer.reason ?? answer.type}`)
}
