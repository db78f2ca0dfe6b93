import { ClientError } from "../errors.js"
import type { Transactions } from "../journal/transactions.js"
import type { Delivery } from "../service/delivery.js"
import type { ConversationHandle } from "./handle.js"

export interface CopiesOptions {
  readonly delivery: Delivery
  readonly transactions: Transactions
  /** Unix time in milliseconds. */
  readonly now: () => number
}

const CHECK_MILLISECONDS = 86_400_000
/** Of many conversations, the others are looked at the next time. */
const AT_ONCE = 20

interface Looked {
  readonly at: number
  /** Of what was told. */
  readonly goneAt: bigint | undefined
}

/**
 * Looks once a day whether a member has retired a conversation: nothing in its log says so, and whoever retires it may say
 * nothing. A week is left then for keeping it.
 */
export class Copies {
  readonly #options: CopiesOptions
  readonly #looked = new Map<string, Looked>()

  constructor(options: CopiesOptions) {
    this.#options = options
  }

  /** Rejects with `UNAVAILABLE`. */
  async check(conversations: Iterable<ConversationHandle>, signal: AbortSignal): Promise<void> {
    const due = [...conversations].filter((it) => it.status === "active" && !it.missing && this.#isDue(it.id))
    for (const conversation of due.slice(0, AT_ONCE)) await this.#look(conversation, signal)
  }

  #isDue(id: string): boolean {
    const ago = this.#options.now() - (this.#looked.get(id)?.at ?? Number.NEGATIVE_INFINITY)
    // A clock that was set back says nothing.
    return ago < 0 || ago > CHECK_MILLISECONDS
  }

  async #look({ id, driver }: ConversationHandle, signal: AbortSignal): Promise<void> {
    const { delivery, transactions, now } = this.#options
    const prover = driver.state.intervals.newest
    if (prover === undefined) return
    const before = this.#looked.get(id)?.goneAt
    const { goneAt } = await delivery.policy(driver.state.id, { prover, signal }).catch(unlessRefused)
    this.#looked.set(id, { at: now(), goneAt })
    if (goneAt === undefined || goneAt === before) return
    await transactions.run(undefined, (transaction) => {
      transaction.emit({ type: "retired", conversation: driver.state.id, goneAt })
    })
  }
}

/** A service that knows no policies, or not this conversation, says nothing of one. */
function unlessRefused(error: unknown): { readonly goneAt: undefined } {
  if (error instanceof ClientError && error.code === "REFUSED") return { goneAt: undefined }
  throw error
}
