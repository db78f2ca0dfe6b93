import { encode } from "@conclave/codec"
import { equalBytes } from "@conclave/crypto"
import type { KeyChange } from "@conclave/identity/verdicts"
import type { Effect, InvitationChange } from "../conversation/effects.js"
import type { Joined } from "../conversation/invitation.js"
import { nextDue } from "../conversation/next.js"
import { disposeOf, type Question } from "../conversation/question.js"
import { type Moment, type Setting, State } from "../conversation/state.js"
import type { Input, step } from "../conversation/step.js"
import { ConversationLog } from "../diagnostics/conversation-log.js"
import type { Log } from "../diagnostics/log.js"
import { ClientError } from "../errors.js"
import type { Judge } from "../identity/judge.js"
import { tellKeyChange } from "../identity/key-changes.js"
import type { Revocations } from "../identity/revocations.js"
import type { Reloadable, Transaction, Transactions } from "../journal/transactions.js"
import { KeyPackagesDue, recordKeys } from "../records/records.js"
import { Busy } from "../service/call.js"
import type { Timers } from "../timers.js"
import { answerTo, type Sources } from "./asking.js"
import type { Attention } from "./attention.js"
import type { Invitations } from "./invitations.js"
import { loadState } from "./loading.js"
import type { Renewals } from "./renewals.js"
import { patienceOf, Runner } from "./runner.js"
import type { Signals } from "./signals.js"
import { View } from "./view.js"

/** What a conversation's steps are carried out with. */
export interface Means extends Setting, Omit<Sources, "reload"> {
  readonly transactions: Transactions
  readonly judge: Judge
  readonly revocations: Revocations
  readonly invitations: Invitations
  readonly renewals: Renewals
  readonly signals: Signals
  readonly log: Log
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly timers: Timers
  readonly attention: Attention
  /** What takes a step: {@link step}, or what looks on while it does. */
  readonly step: typeof step
  /** Is given failures that are neither the network's nor the store's. */
  readonly onFault: (error: unknown) => void
}

export interface Fates {
  /** The invitation was declined, or another conversation takes the place of this one: it is shown no more. */
  readonly onHidden: () => void
  /** Nothing is left of the conversation. */
  readonly onForgotten: () => void
  /** The log can be read further, with a new key. */
  readonly onReach: () => void
  /** This device's keys were renewed, and it is stored that all key packages are to be replaced. */
  readonly onRenewed: () => void
}

/** Inputs that change nothing which is stored. */
type Passing = "brought" | "interrupted" | "head unknown" | "polled" | "knocked" | "answered knock" | "asked again"

/** No service is restored in less. */
const SOON_MILLISECONDS = 5_000

/** What is stored in the same transaction as a step. */
type Beside = (transaction: Transaction) => void

interface Waiter {
  resolve(): void
  reject(error: Error): void
}

/** A wish that was stored. */
export interface Wished {
  /** Of a message: 16 bytes. */
  readonly messageId: Uint8Array | undefined
  /** Settles when the wish has come true, or cannot. */
  readonly settled: Promise<void>
}

/**
 * Carries out the steps of one conversation: stores what a step leads to, finds the answers to its questions, and wakes
 * the calls that wait. Everything that touches the state is a step, one after the other, and asks one question at a time.
 */
export class Driver implements Reloadable {
  readonly view: View
  readonly runner: Runner
  readonly means: Means
  readonly log: ConversationLog
  readonly #fates: Fates
  readonly #sources: Sources
  readonly #waiters = new Map<number, Waiter>()
  #state: State

  constructor(id: Uint8Array, means: Means, fates: Fates) {
    this.means = means
    this.#fates = fates
    this.#state = new State(id)
    this.view = new View(this.#state)
    this.log = new ConversationLog(means.log, this.#state)
    this.#sources = { ...means, reload: () => means.transactions.discard(this) }
    const { signal, now, random, timers, onFault, log, attention } = means
    const due = () => nextDue(this.#state, this.moment())
    const of = { name: "conversation", conversation: this.#state.key } as const
    const when = { signal, now, random, timers, attention }
    this.runner = new Runner({ job: () => this.#advance(), ...when, due, onFault, log, of })
  }

  get state(): State {
    return this.#state
  }

  /** One step. Rejects with `STORE_FAILED`; nothing has happened then. */
  run(input: Input): Promise<readonly Effect[]> {
    return this.means.transactions.run(this, (transaction) => this.take(transaction, input))
  }

  /** Enters a group by a Welcome; `join` is called in the step, and what it returns is used up by it. */
  async join(join: () => Joined, beside: Beside): Promise<void> {
    await this.means.transactions.run(this, (transaction) => {
      beside(transaction)
      return this.take(transaction, { type: "joined", joined: join() })
    })
  }

  /** Stores the wishes of one input, together with what `beside` stores. */
  wish(input: Input, beside: Beside = () => {}): Promise<readonly Wished[]> {
    const stored = this.means.transactions.run(this, (transaction) => {
      beside(transaction)
      return this.wished(transaction, this.take(transaction, input))
    })
    // After a failure too: it may have been stored nevertheless.
    return stored.finally(() => this.runner.wake())
  }

  /** What changes nothing that is stored. */
  bring(input: Extract<Input, { readonly type: Passing }>): void {
    const { state, effects } = this.means.step(this.#state, input, this.moment())
    this.#state = state
    this.log.stepped(input, state, effects)
  }

  async reload(): Promise<void> {
    await loadState(this.#state, this.means.store, this.means)
    this.log.look(this.#state)
  }

  settled(): void {
    this.view.settle(this.#state, this.moment())
  }

  /** Every call that waits rejects with `CLOSED`; the group's secrets are destroyed in memory. */
  close(): void {
    this.#state.group?.[Symbol.dispose]()
    this.#state.group = undefined
    for (const wish of [...this.#waiters.keys()]) this.#settle(wish, new ClientError("CLOSED", "the client is closed"))
  }

  /**
   * Goes on until there is nothing to do. Rejects with `UNAVAILABLE` where a service does not answer, and may then be
   * repeated.
   */
  async #advance(): Promise<void> {
    const { signal } = this.means
    let asked = questionAmong(await this.run({ type: "go" }))
    while (asked !== undefined) {
      signal.throwIfAborted()
      const answered = await this.#answer(asked.question)
      const effects = await this.run({ type: "answered", number: asked.number, ...answered }).catch((error) => {
        disposeOf(answered)
        throw error
      })
      // The conversation has begun again, or was read from the store again: the question is not what it waits for.
      const isOutdated = effects.some(({ type }) => type === "again")
      asked = questionAmong(isOutdated ? await this.run({ type: "go" }) : effects)
    }
  }

  async #answer(question: Question) {
    const begun = this.means.log.elapsed()
    try {
      const answered = await answerTo(question, this.#state, this.#sources)
      this.log.answered(answered, begun)
      return answered
    } catch (error) {
      this.log.unanswered(question, error, begun)
      // What is staged has used up keys in memory only: it is received, or made, again.
      if (this.#state.staged !== undefined) await this.means.transactions.discard(this)
      // The service that answers next may be one that was restored: nothing is sent there again before its log was read.
      if (question.type === "send" && !this.#isSoon(error)) this.bring({ type: "head unknown" })
      throw error
    }
  }

  /** Whether the service that was asked has answered, and is asked again so soon that it is the same. */
  #isSoon(error: unknown): boolean {
    return error instanceof Busy && patienceOf(error, this.means.now()) < SOON_MILLISECONDS
  }

  /** The wishes that a step has stored. */
  wished(transaction: Transaction, effects: readonly Effect[]): readonly Wished[] {
    return effects.flatMap((effect) => {
      if (effect.type === "refused") return { messageId: undefined, settled: rejected(effect.error) }
      if (effect.type !== "wished") return []
      return { messageId: effect.messageId, settled: this.#expect(transaction, effect.wish) }
    })
  }

  /** The call that waits for `wish` waits for a wish of another conversation from now on. */
  handOver(transaction: Transaction, wish: number, to: { readonly driver: Driver; readonly wish: number }): void {
    transaction.after(() => {
      const waiter = this.#waiters.get(wish)
      this.#waiters.delete(wish)
      if (waiter !== undefined) to.driver.#waiters.set(to.wish, waiter)
    })
  }

  /** One step, as a part of `transaction`, which has to be one of this driver's. */
  take(transaction: Transaction, input: Input): readonly Effect[] {
    const { state, effects } = this.means.step(this.#state, input, this.moment())
    this.#state = state
    this.log.stepped(input, state, effects)
    for (const effect of effects) this.#carryOut(transaction, effect)
    return effects
  }

  /** What a step is given besides the state. */
  moment(): Moment {
    const { identity, groupOptions, random, keepHistory, leaveDelayMilliseconds, renewAfterMilliseconds } = this.means
    const { now, invitations, renewals, serviceKeys, slicing, revocations: revoked } = this.means
    const at = now()
    const invitation = invitations.get(this.#state.key)
    const setting = { identity, groupOptions, random, keepHistory, leaveDelayMilliseconds, renewAfterMilliseconds }
    const { pinned: service } = serviceKeys
    const slicedFrom = slicing.membersMin
    return { ...setting, now: at, invitation, service, renewalsLeft: renewals.left(at), slicedFrom, revoked }
  }

  #carryOut(transaction: Transaction, effect: Effect): void {
    switch (effect.type) {
      case "put":
        transaction.put(effect.key, effect.record)
        break
      case "delete":
        transaction.delete(effect.key)
        break
      case "deleteUnder":
        transaction.deleteUnder(effect.prefix, effect.after)
        break
      case "keep":
        transaction.keep(effect.key)
        break
      case "emit":
        transaction.emit(effect.event)
        break
      case "trust":
        this.#trust(transaction, effect)
        break
      case "invitation":
        this.#changeInvitation(transaction, effect.change)
        break
      case "settle":
        transaction.after(() => this.#settle(effect.wish, effect.error))
        break
      case "wake":
        transaction.after(() => this.runner.wake())
        break
      case "reach":
        transaction.after(this.#fates.onReach)
        break
      case "renewing":
        transaction.after(() => this.means.renewals.note(this.means.now()))
        break
      case "renewed":
        transaction.put(recordKeys.keyPackagesDue, encode(KeyPackagesDue, { since: BigInt(this.means.now()) }))
        transaction.after(this.#fates.onRenewed)
        break
      case "note":
        transaction.after(() => this.log.note(effect))
        break
      case "hide":
        transaction.after(this.#fates.onHidden)
        break
      case "forget":
        transaction.after(this.#fates.onForgotten)
        break
      case "wished":
      case "took over":
      case "refused":
      case "again":
      case "ask":
        break
    }
  }

  /** Pins, and alerts, of what has been accepted. */
  #trust(transaction: Transaction, { judgement }: Extract<Effect, { readonly type: "trust" }>): void {
    const pinned = judgement.pins.filter((pin) => this.means.judge.pin(transaction, pin))
    // Who is invited is judged when the invitation is made, and when it is committed: an alert once. With somebody who is
    // met, also for devices that pretend to be theirs.
    const isNews = ({ name, signatureKey, accepted }: KeyChange) =>
      pinned.some((pin) => (accepted ? equalBytes(pin.signatureKey, signatureKey) : pin.name === name))
    for (const change of judgement.keyChanges) {
      if (isNews(change)) tellKeyChange(transaction, this.#state.id, change)
    }
  }

  #changeInvitation(transaction: Transaction, change: InvitationChange): void {
    const { invitations } = this.means
    const { key } = this.#state
    if (change.type === "add") invitations.add(transaction, key, change.invitation)
    else if (change.type === "answer") invitations.answer(transaction, key, change.answer)
    else if (change.type === "title") invitations.noteTitle(transaction, key, change.from)
    else invitations.end(transaction, key)
  }

  #expect(transaction: Transaction, wish: number): Promise<void> {
    const settled = new Promise<void>((resolve, reject) => {
      transaction.after(() => this.#waiters.set(wish, { resolve, reject }))
    })
    // A caller who stops waiting learns it from the event `failed`.
    settled.catch(() => {})
    return settled
  }

  #settle(wish: number, error?: Error): void {
    const waiter = this.#waiters.get(wish)
    this.#waiters.delete(wish)
    if (error === undefined) waiter?.resolve()
    else waiter?.reject(error)
  }
}

function questionAmong(effects: readonly Effect[]) {
  return effects.find((effect) => effect.type === "ask")
}

function rejected(error: Error): Promise<never> {
  const promise = Promise.reject(error)
  promise.catch(() => {})
  return promise
}
