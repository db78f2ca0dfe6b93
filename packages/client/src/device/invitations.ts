import { decode, encode } from "@conclave/codec"
import type { InvitationLimits } from "../client.js"
import type { Reloadable, Transaction } from "../journal/transactions.js"
import { recordKeys, type StoredEvent, StoredInvitation } from "../records/records.js"
import type { SealedStore } from "../store/sealed.js"

export const defaultInvitationLimits: InvitationLimits = {
  unansweredByInviter: 20,
  perDayByInviter: 100,
  unanswered: 500,
}

const DAY_MILLISECONDS = 86_400_000n

export interface InvitationsOptions {
  readonly store: SealedStore
  readonly limits: InvitationLimits
  /** Unix time in milliseconds. */
  readonly now: () => number
}

/** Invitations that have no answer yet, and those of the last day: by the ids of their conversations. */
export class Invitations implements Reloadable {
  readonly #options: InvitationsOptions
  readonly #known = new Map<string, StoredInvitation>()

  constructor(options: InvitationsOptions) {
    this.#options = options
  }

  async reload(): Promise<void> {
    const records = await this.#options.store.list(recordKeys.invitations)
    this.#known.clear()
    for (const [key, record] of records) {
      this.#known.set(key.slice(recordKeys.invitations.length), decode(StoredInvitation, record))
    }
  }

  get(id: string): StoredInvitation | undefined {
    return this.#known.get(id)
  }

  isWaiting(id: string): boolean {
    return this.#known.get(id)?.answer === "waiting"
  }

  /** The person has declined; the others have not removed this device yet. */
  isDeclined(id: string): boolean {
    return this.#known.get(id)?.answer === "declined"
  }

  /** Whether there is room for one more by this person. */
  hasRoom(by: string, { toAsk }: { readonly toAsk: boolean }): boolean {
    const { limits, now } = this.#options
    const since = BigInt(now()) - DAY_MILLISECONDS
    let waiting = 0
    let waitingBy = 0
    let recentBy = 0
    for (const invitation of this.#known.values()) {
      const isWaiting = invitation.answer === "waiting"
      if (isWaiting) waiting++
      if (invitation.by !== by) continue
      if (isWaiting) waitingBy++
      if (invitation.at > since) recentBy += invitation.times
    }
    if (recentBy >= limits.perDayByInviter) return false
    return !toAsk || (waitingBy < limits.unansweredByInviter && waiting < limits.unanswered)
  }

  /** Whether the application hears of an event: of an invitation that nobody has accepted, only what it has to know. */
  isTold(event: { readonly type: StoredEvent["type"]; readonly conversation?: Uint8Array | undefined }, id: string) {
    const answer = this.#known.get(id)?.answer
    if (answer === "declined") return false
    return answer !== "waiting" || ["invited", "joined", "keyChanged"].includes(event.type)
  }

  /** A new one. What the one before it has kept, if that was waiting still, is told with this one. */
  add(transaction: Transaction, id: string, invitation: Omit<StoredInvitation, "at" | "times" | "titleFrom">): void {
    const at = BigInt(this.#options.now())
    for (const [other, { answer, at: then }] of [...this.#known]) {
      const isOver = answer === "accepted" || answer === "ended"
      if (isOver && then + DAY_MILLISECONDS < at) this.#forget(transaction, other)
    }
    const before = this.#known.get(id)
    const { since, titleFrom } = before?.answer === "waiting" ? before : { since: invitation.since, titleFrom: "" }
    const times = before?.by === invitation.by ? before.times + 1 : 1
    this.#put(transaction, id, { ...invitation, at, times, since, titleFrom })
  }

  /** Somebody has set the title of a conversation while the invitation to it waits. */
  noteTitle(transaction: Transaction, id: string, from: string): void {
    const invitation = this.#known.get(id)
    if (invitation?.answer === "waiting") this.#put(transaction, id, { ...invitation, titleFrom: from })
  }

  answer(transaction: Transaction, id: string, answer: "accepted" | "declined"): void {
    const invitation = this.#known.get(id)
    if (invitation !== undefined) this.#put(transaction, id, { ...invitation, answer, at: BigInt(this.#options.now()) })
  }

  /** It came to nothing: counted for a day. */
  end(transaction: Transaction, id: string): void {
    const invitation = this.#known.get(id)
    if (invitation !== undefined) this.#put(transaction, id, { ...invitation, answer: "ended" })
  }

  #put(transaction: Transaction, id: string, invitation: StoredInvitation): void {
    this.#known.set(id, invitation)
    transaction.put(recordKeys.invitation(id), encode(StoredInvitation, invitation))
  }

  #forget(transaction: Transaction, id: string): void {
    this.#known.delete(id)
    transaction.delete(recordKeys.invitation(id))
  }
}
