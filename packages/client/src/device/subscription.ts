import { isHandedOver } from "@conclave/transport"
import type { State } from "../conversation/state.js"
import { faultOf, type KnownWords } from "../diagnostics/faults.js"
import type { Log } from "../diagnostics/log.js"
import { ClientError } from "../errors.js"
import type { Transactions } from "../journal/transactions.js"
import { type LineFault, lineFaultOf } from "../line.js"
import { type Delivery, type DeliveryAnswer, type Following, refusalOf } from "../service/delivery.js"
import type { Timers } from "../timers.js"
import type { Attention } from "./attention.js"
import type { ConversationHandle } from "./handle.js"
import { backoff, patienceOf, type Runner } from "./runner.js"

export interface StreamOptions {
  readonly delivery: Delivery
  readonly transactions: Transactions
  /** Unix time in milliseconds. */
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly timers: Timers
  readonly attention: Attention
  readonly signal: AbortSignal
  readonly log: Log
  readonly inbox: Runner
  readonly conversations: () => Iterable<ConversationHandle>
  readonly find: (groupId: Uint8Array) => ConversationHandle | undefined
  readonly onChange: () => void
  /** Whether signals are to come. */
  readonly hears: () => boolean
  readonly onSignal: (conversation: ConversationHandle, body: Uint8Array) => void
  /** The service answers that it does not want to; told once, until it does. */
  readonly onRefused: (reason: string) => void
}

/** Subscriptions that are renewed one after the other are renewed together. */
export const RENEWAL_MILLISECONDS = 100
/** A subscription that ended before that counts as one more failure. */
const STEADY_MILLISECONDS = 10_000
/** And one that the server has handed over, before that. */
const WORKED_MILLISECONDS = 500
/** So many subscriptions in a row that broke: from then on the service is asked for news without one. */
const FAILURES_BEFORE_POLLING = 2
/** Without an answer for so long, it is asked for news without a subscription as well. */
const SLOW_MILLISECONDS = 5_000
/** A pause is cut into pieces of that length: a clock that has jumped between two ends it. */
const LOOK_MILLISECONDS = 5_000
const JUMP_MILLISECONDS = 5_000

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
  /** By conversation: after which entry the subscription follows it. */
  #followedAfter: ReadonlyMap<string, bigint> = new Map()
  /** The conversations for which a pass is being asked. */
  readonly #asking = new Set<string>()
  #cancelRenewal: (() => void) | undefined
  #online = false
  #reason = "the service has not answered yet"
  #fault: LineFault | undefined
  #broke: KnownWords | undefined
  /** In a row. */
  #failures = 0
  #isBroken = false
  /** When the subscription that there is was answered first. */
  #openSince: number | undefined
  /** Ends the pause that is under way, unless the service has asked for it. */
  #endPause = () => {}

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

  get fault(): LineFault | undefined {
    return this.#fault
  }

  /** It breaks again and again, and not because the service wants it so. */
  get isBroken(): boolean {
    return this.#isBroken && !this.#online
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

  /** Does not wait any longer for the next try, unless the service has asked for that. */
  hasten(): void {
    this.#failures = Math.min(this.#failures, 1)
    this.#endPause()
  }

  async #run(): Promise<void> {
    const { signal, timers } = this.#options
    while (!signal.aborted) {
      this.#session = new AbortController()
      this.#subscription = undefined
      this.#openSince = undefined
      let error: unknown
      try {
        if (!this.isIdle) await this.#listen(this.#session.signal)
      } catch (thrown) {
        // A stream that breaks says nothing about what has happened; the cursors do.
        error = thrown
      } finally {
        this.#cancelRenewal?.()
        this.#cancelRenewal = undefined
      }
      if (this.#session.signal.aborted) continue
      // A server that hands its clients over has worked until then.
      const steady = isHandedOver(error) ? WORKED_MILLISECONDS : STEADY_MILLISECONDS
      if (this.#openSince !== undefined && timers.elapsed() - this.#openSince > steady) this.#failures = 0
      await this.#pauseAfter(error)
    }
    this.#isBroken = false
    this.#setOnline(false)
  }

  async #pauseAfter(error: unknown): Promise<void> {
    const { now, random, log, attention } = this.#options
    if (this.isIdle) {
      this.#setOnline(false)
      return this.#pause(Number.POSITIVE_INFINITY, 0)
    }
    const patience = patienceOf(error, now())
    // The service may also end a stream without a word.
    const isRefused = error instanceof ClientError && error.code !== "UNAVAILABLE"
    // The first time at once, without a timer: that of a hidden page would take up to a minute.
    const pauses = isRefused ? this.#failures : this.#failures - 1
    const pause = Math.max(patience, pauses < 0 ? 0 : backoff(pauses, random, attention.pauseMax))
    this.#failures++
    if (error !== undefined) {
      this.#reason = error instanceof ClientError ? error.message : "the stream broke"
      this.#fault = isRefused ? undefined : lineFaultOf(error)
      this.#broke = faultOf(error)
      const { size: cursors } = this
      log.write("subscription broke", { cursors, error: this.#broke, failures: this.#failures, pause })
    }
    this.#online = false
    this.#isBroken = !isRefused && patience === 0 && (this.#isBroken || this.#failures >= FAILURES_BEFORE_POLLING)
    this.#options.onLook()
    if (pause > 0) await this.#pause(pause, patience)
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { delivery, transactions, withInbox, conversations, timers, onAnswer, onRefusal } = this.#options
    const followed = [...conversations()].filter(({ id }) => this.#ids.has(id))
    const cursors = followed.map(({ driver: { state } }) => followingOf(state))
    this.#followedAfter = new Map(followed.map(({ id }, at) => [id, cursors[at]!.afterSeq]))
    const inbox = withInbox ? { after: transactions.profile.inboxCursor } : undefined
    const onPassDenied = () => this.#renewSoon()
    const cancelSlow = timers.after(SLOW_MILLISECONDS, () => this.#isSlow())
    try {
      for await (const answer of delivery.subscribe(cursors, { inbox, signal, onPassDenied })) {
        if (isRefusal(answer)) {
          onRefusal(answer)
          throw new ClientError("REFUSED", `the service said ${refusalOf(answer)}`)
        }
        cancelSlow()
        this.#openSince ??= timers.elapsed()
        this.#setOnline(true)
        if (answer.type !== "subscribed") onAnswer(answer)
        else {
          this.#subscription = answer.subscription
          this.hear()
        }
      }
    } finally {
      cancelSlow()
    }
  }

  /** A socket may take its time to open, or to fail: nobody waits for it. */
  #isSlow(): void {
    if (this.#online) return
    this.#isBroken = true
    this.#options.onLook()
  }

  /** As all passes may be denied, one after the other, and one subscription can ask again for all of their groups. */
  #renewSoon(): void {
    if (this.#cancelRenewal !== undefined) return
    this.#cancelRenewal = this.#options.timers.after(RENEWAL_MILLISECONDS, () => this.renew())
  }

  /** A service that knows no signals says so, and nothing comes. */
  hear(): void {
    const { delivery, hears } = this.#options
    const { signal } = this.#session
    if (this.#subscription === undefined || signal.aborted || !hears()) return
    delivery.hear(this.#subscription, signal).catch(() => {})
  }

  /** Where the service has forgotten the subscription, or does not answer, there is a new one. */
  extend({ id, driver: { state } }: ConversationHandle): void {
    const { delivery, log } = this.#options
    const { signal } = this.#session
    // After a restore a device goes back. The subscription would bring nothing before its own cursor.
    const isBehind = state.position.cursor < (this.#followedAfter.get(id) ?? 0n)
    // A subscription that is being made is made with the new key, or is renewed with it.
    if (this.#subscription === undefined || signal.aborted || isBehind) {
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
    if (online) {
      this.#broke = undefined
      this.#isBroken = false
    }
    this.#options.onLook()
  }

  /**
   * The pause of a subscription that broke. A renewed one does not wait for it, nor does one for which there is a reason to
   * hope, once `least` is over, which the service has asked for.
   */
  #pause(milliseconds: number, least: number): Promise<void> {
    const { signal } = this.#session
    const { timers, now } = this.#options
    return new Promise((resolve) => {
      const begun = timers.elapsed()
      let cancel = () => {}
      const end = () => {
        cancel()
        this.#endPause = () => {}
        signal.removeEventListener("abort", end)
        resolve()
      }
      this.#endPause = () => timers.elapsed() - begun >= least && end()
      const wait = () => {
        const left = begun + milliseconds - timers.elapsed()
        const piece = Math.min(left, LOOK_MILLISECONDS)
        const at = now()
        cancel = timers.after(piece, () => {
          // The machine has slept: the network is another one, perhaps.
          const hasJumped = now() - at > piece + JUMP_MILLISECONDS
          if (left <= LOOK_MILLISECONDS) end()
          else if (hasJumped && timers.elapsed() - begun >= least) end()
          else wait()
        })
      }
      if (Number.isFinite(milliseconds)) wait()
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
  ...(["notFound", "denied", "belowRetention", "signal"] as const),
])

const isRefusal = ({ type }: DeliveryAnswer) => !going.has(type)
