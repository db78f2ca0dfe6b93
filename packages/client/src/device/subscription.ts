import type { State } from "../conversation/state.js"
import { faultOf, type KnownWords } from "../diagnostics/faults.js"
import type { Log } from "../diagnostics/log.js"
import { ClientError } from "../errors.js"
import type { Transactions } from "../journal/transactions.js"
import { type Delivery, type DeliveryAnswer, type Following, refusalOf } from "../service/delivery.js"
import type { Timers } from "../timers.js"
import type { ConversationHandle } from "./handle.js"
import { backoff, patienceOf, type Runner } from "./runner.js"

export interface StreamOptions {
  readonly delivery: Delivery
  readonly transactions: Transactions
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly timers: Timers
  readonly signal: AbortSignal
  readonly log: Log
  readonly inbox: Runner
  readonly conversations: () => Iterable<ConversationHandle>
  readonly find: (groupId: Uint8Array) => ConversationHandle | undefined
  readonly onChange: () => void
  /** The service answers that it does not want to; told once, until it does. */
  readonly onRefused: (reason: string) => void
}

/** Subscriptions that are renewed one after the other are renewed together. */
export const RENEWAL_MILLISECONDS = 100
/** A subscription that ended before that counts as one more failure. */
const STEADY_MILLISECONDS = 10_000

export interface StreamPart {
  readonly online: boolean
  readonly cursors: number
  readonly isIdle: boolean
  readonly broke: KnownWords | undefined
}

export interface PartOptions extends StreamOptions {
  readonly withInbox: boolean
  readonly ids: ReadonlySet<string>
  readonly onAnswer: (answer: DeliveryAnswer) => void
  /** Whether it is online has changed. */
  readonly onLook: () => void
  readonly onRefusal: (answer: DeliveryAnswer) => void
}

/** One subscription. */
export class Part {
  readonly done: Promise<void>
  readonly #options: PartOptions
  #ids: ReadonlySet<string>
  #session = new AbortController()
  /** What the service calls this subscription, while there is one. */
  #subscription: Uint8Array | undefined
  /** The conversations for which a pass is being asked. */
  readonly #asking = new Set<string>()
  #cancelRenewal: (() => void) | undefined
  #online = false
  #reason = "the service has not answered yet"
  #broke: KnownWords | undefined

  constructor(options: PartOptions) {
    this.#options = options
    this.#ids = options.ids
    this.done = this.#run()
  }

  get online(): boolean {
    return this.#online
  }

  get reason(): string {
    return this.#reason
  }

  /** What ended the subscription last. */
  get broke(): KnownWords | undefined {
    return this.#broke
  }

  get ids(): Iterable<string> {
    return this.#ids
  }

  get size(): number {
    return this.#ids.size
  }

  /** There is nothing that it could follow. */
  get isIdle(): boolean {
    return this.#ids.size === 0 && !this.#options.withInbox
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  follow(ids: ReadonlySet<string>): void {
    if (ids.size === this.#ids.size && [...ids].every((id) => this.#ids.has(id))) return
    this.#ids = ids
    this.renew()
  }

  /** Subscribes anew, or ends where its signal has been aborted. */
  renew(): void {
    this.#session.abort()
  }

  async #run(): Promise<void> {
    const { signal, now, random, timers, log } = this.#options
    for (let failures = 0; !signal.aborted; ) {
      this.#session = new AbortController()
      this.#subscription = undefined
      const begun = timers.elapsed()
      let patience = this.isIdle ? Number.POSITIVE_INFINITY : 0
      try {
        if (!this.isIdle) await this.#listen(this.#session.signal)
      } catch (error) {
        // A stream that breaks says nothing about what has happened; the cursors do.
        patience = patienceOf(error, now())
        this.#reason = error instanceof ClientError ? error.message : "the stream broke"
        this.#broke = faultOf(error)
      } finally {
        this.#cancelRenewal?.()
        this.#cancelRenewal = undefined
      }
      if (this.#session.signal.aborted) continue
      this.#setOnline(false)
      if (timers.elapsed() - begun > STEADY_MILLISECONDS) failures = 0
      const pause = Math.max(patience, backoff(failures++, random))
      if (this.#broke !== undefined && Number.isFinite(pause)) {
        log.write("subscription broke", { cursors: this.size, error: this.#broke, failures, pause })
      }
      await this.#pause(pause)
    }
    this.#setOnline(false)
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { delivery, transactions, withInbox, conversations, onAnswer, onRefusal } = this.#options
    const cursors = [...conversations()]
      .filter(({ id }) => this.#ids.has(id))
      .map(({ driver: { state } }) => followingOf(state))
    const inbox = withInbox ? { after: transactions.profile.inboxCursor } : undefined
    const onPassDenied = () => this.#renewSoon()
    for await (const answer of delivery.subscribe(cursors, { inbox, signal, onPassDenied })) {
      if (isRefusal(answer)) {
        onRefusal(answer)
        throw new ClientError("REFUSED", `the service said ${refusalOf(answer)}`)
      }
      this.#setOnline(true)
      if (answer.type === "subscribed") this.#subscription = answer.subscription
      else onAnswer(answer)
    }
  }

  /** As all passes may be denied, one after the other, and one subscription can ask again for all of their groups. */
  #renewSoon(): void {
    if (this.#cancelRenewal !== undefined) return
    this.#cancelRenewal = this.#options.timers.after(RENEWAL_MILLISECONDS, () => this.renew())
  }

  /** Where the service has forgotten the subscription, or does not answer, there is a new one. */
  extend({ driver: { state } }: ConversationHandle): void {
    const { delivery, log } = this.#options
    const { signal } = this.#session
    // A subscription that is being made is made with the new key, or is renewed with it.
    if (this.#subscription === undefined || signal.aborted) {
      this.renew()
      return
    }
    delivery.extend(this.#subscription, followingOf(state), signal).then(
      (answer) => {
        if (answer.type !== "passes" && !signal.aborted) this.renew()
      },
      (error: unknown) => {
        if (signal.aborted) return
        log.write("subscription not extended", { error: faultOf(error) })
        this.renew()
      },
    )
  }

  /** For a key that came with a commit which removed nobody: only devices that send need a pass for it. */
  askForPass({ id, driver: { state } }: ConversationHandle): void {
    const { signal } = this.#session
    if (this.#subscription === undefined || signal.aborted || this.#asking.has(id)) return
    this.#asking.add(id)
    const end = () => this.#asking.delete(id)
    // Without an answer, the next message is signed as well.
    this.#options.delivery.extend(this.#subscription, followingOf(state), signal).then(end, end)
  }

  #setOnline(online: boolean): void {
    if (this.#online === online) return
    this.#online = online
    if (online) this.#broke = undefined
    this.#options.onLook()
  }

  /** The pause of a subscription that broke; a renewed one does not wait for it. */
  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#session
    return new Promise((resolve) => {
      const end = () => {
        cancel()
        signal.removeEventListener("abort", end)
        resolve()
      }
      const cancel = Number.isFinite(milliseconds) ? this.#options.timers.after(milliseconds, end) : () => {}
      signal.addEventListener("abort", end)
      if (signal.aborted) end()
    })
  }
}

/** From where a conversation is followed; one that cannot be judged is fetched all the same. */
function followingOf({ id, position, prover }: State): Following {
  return { groupId: id, afterSeq: position.cursor, prover }
}

/** What the service says in a stream that goes on: of one log, of the inbox, or of the subscription itself. */
const going = new Set<DeliveryAnswer["type"]>([
  ...(["subscribed", "passes", "entries", "inboxEntries", "knocks", "answered"] as const),
  ...(["notFound", "denied", "belowRetention"] as const),
])

const isRefusal = ({ type }: DeliveryAnswer) => !going.has(type)
