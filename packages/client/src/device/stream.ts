import type { Entry } from "@conclave/contracts/delivery"
import { bytesOf, type Position } from "../conversation/position.js"
import type { State } from "../conversation/state.js"
import { faultOf, type KnownWords } from "../diagnostics/faults.js"
import type { Log } from "../diagnostics/log.js"
import { ClientError } from "../errors.js"
import type { Transactions } from "../journal/transactions.js"
import { type Delivery, type DeliveryAnswer, type Following, refusalOf, toldBy } from "../service/delivery.js"
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

/** More entries, or bytes, of one log that nobody has taken yet are read in pages instead. */
const INCOMING_MAX = 1024
const INCOMING_BYTES_MAX = 4 * 1024 * 1024
/** Cursors in one subscription: as many as the service takes by default. */
const CURSORS_MAX = 1000
/** A subscription that ended before that counts as one more failure. */
const STEADY_MILLISECONDS = 10_000
/** Conversations that come one after the other are subscribed to together. */
const RENEWAL_MILLISECONDS = 100

/**
 * The service's stream: brings entries to the conversations, and comes back after each break where it stood. As one
 * subscription follows a limited number of conversations, there are as many as it takes; the first one follows the
 * inbox too.
 */
export class Stream {
  readonly #options: StreamOptions
  readonly #parts: Part[] = []
  #cursorsMax = CURSORS_MAX
  #online = false
  #refused = false
  #renewed = 0
  #cancelRenewal: (() => void) | undefined

  constructor(options: StreamOptions) {
    this.#options = options
    options.delivery.onSigned = (groupId) => {
      const conversation = options.find(groupId)
      if (conversation !== undefined) this.#partOf(conversation)?.askForPass(conversation)
    }
    this.#arrange()
    const end = () => {
      this.#cancelRenewal?.()
      for (const part of this.#parts) part.renew()
    }
    options.signal.addEventListener("abort", end, { once: true })
  }

  /** Whether everything is followed. */
  get online(): boolean {
    return this.#online
  }

  /** Why not: what the service, or the network, has said last. */
  get reason(): string | undefined {
    return this.#online ? undefined : this.#parts.find((part) => !part.online)?.reason
  }

  /** For a report: the subscriptions, and what broke those that are not online. */
  get parts(): readonly StreamPart[] {
    return this.#parts.map(({ online, size, isIdle, broke }) => ({ online, cursors: size, isIdle, broke }))
  }

  /** A conversation has a new key, without which nothing more of it would come. */
  extend(conversation: ConversationHandle): void {
    this.#partOf(conversation)?.extend(conversation)
  }

  #partOf({ id }: ConversationHandle): Part | undefined {
    return this.#parts.find((part) => part.has(id))
  }

  /** Subscribes anew if there are other conversations to follow than before. */
  renew(): void {
    if (this.#cancelRenewal !== undefined || this.#options.signal.aborted || this.#isArranged()) return
    const { timers } = this.#options
    const pause = this.#renewed + RENEWAL_MILLISECONDS - timers.elapsed()
    if (pause <= 0) {
      this.#arrange()
      return
    }
    this.#cancelRenewal = timers.after(pause, () => {
      this.#cancelRenewal = undefined
      this.#arrange()
    })
  }

  /** Resolves when the stream has ended after its signal. */
  get done(): Promise<void> {
    return Promise.all(this.#parts.map(({ done }) => done)).then(() => {})
  }

  #following(): ReadonlyMap<string, ConversationHandle> {
    const following = new Map<string, ConversationHandle>()
    for (const it of this.#options.conversations()) if (it.driver.view.isFollowed) following.set(it.id, it)
    return following
  }

  #isArranged(): boolean {
    let missing = 0
    for (const part of this.#parts) missing -= part.size
    for (const { id, driver } of this.#options.conversations()) {
      if (!driver.view.isFollowed) continue
      if (!this.#parts.some((part) => part.has(id))) return false
      missing++
    }
    return missing === 0
  }

  /** Leaves each conversation where it is, so that a new one renews one subscription only. */
  #arrange(): void {
    if (this.#options.signal.aborted) return
    this.#renewed = this.#options.timers.elapsed()
    const waiting = new Map(this.#following())
    const kept = this.#parts.map((part) => {
      const ids = [...part.ids].filter((id) => waiting.has(id)).slice(0, this.#cursorsMax)
      for (const id of ids) waiting.delete(id)
      return new Set(ids)
    })
    for (const id of waiting.keys()) {
      let room = kept.find((ids) => ids.size < this.#cursorsMax)
      if (room === undefined) {
        room = new Set()
        kept.push(room)
      }
      room.add(id)
    }
    if (kept.length === 0) kept.push(new Set())
    for (const [at, ids] of kept.entries()) {
      if (this.#parts[at] === undefined) this.#parts.push(this.#start(at === 0, ids))
      else this.#parts[at].follow(ids)
    }
    this.#look()
  }

  #start(withInbox: boolean, ids: ReadonlySet<string>): Part {
    return new Part({
      ...this.#options,
      withInbox,
      ids,
      onAnswer: (answer) => this.#take(answer),
      onLook: () => this.#look(),
      onRefusal: (answer) => this.#learn(answer),
    })
  }

  /** A service that takes fewer cursors says how many, or is offered half as many. */
  #learn(answer: DeliveryAnswer): void {
    const reason = refusalOf(answer)
    if (answer.type === "invalid" && answer.reason.startsWith("cursors") && this.#cursorsMax > 1) {
      const most = Number(/at most (\d+)/.exec(answer.reason)?.[1] ?? Number.NaN)
      const half = Math.ceil(this.#cursorsMax / 2)
      this.#cursorsMax = most >= 1 && most < this.#cursorsMax ? most : half
      this.#arrange()
    } else if (!this.#refused) {
      this.#refused = true
      this.#options.onRefused(`the service does not let this device listen: ${reason}`)
    }
  }

  #take(answer: DeliveryAnswer): void {
    if (answer.type === "inboxEntries") {
      const { inbox, transactions } = this.#options
      if (answer.entries.length > 0 || answer.head < transactions.profile.inboxCursor) inbox.wake()
      return
    }
    if (answer.type === "passes") {
      this.#options.delivery.takePasses(answer.passes)
      return
    }
    if (!("groupId" in answer)) return
    const conversation = this.#options.find(answer.groupId)
    if (conversation === undefined) return
    const { driver } = conversation
    const { position } = driver.state
    if (answer.type === "knocks") driver.bring({ type: "knocked", knocks: answer.knocks })
    else if (answer.type === "answered") driver.bring({ type: "answered knock", id: answer.id })
    else if (answer.type !== "entries" || !hasRoom(position, answer.entries)) {
      driver.bring({ type: "interrupted" })
    } else if (answer.entries.length === 0 && answer.headSeq < position.cursor) {
      // What a subscription begins with: the service may have been restored from a backup.
      driver.bring({ type: "head unknown" })
    } else driver.bring({ type: "brought", entries: answer.entries, headSeq: answer.headSeq, told: toldBy(answer) })
    driver.runner.wake()
  }

  #look(): void {
    const online = !this.#options.signal.aborted && this.#parts.every((part) => part.online || part.isIdle)
    if (online) this.#refused = false
    if (this.#online === online) return
    this.#online = online
    const { log, signal } = this.#options
    if (online) log.write("online", { subscriptions: this.#parts.length })
    else if (!signal.aborted) log.write("offline", { because: this.#parts.find((part) => !part.online)?.broke })
    this.#options.onChange()
  }
}

export interface StreamPart {
  readonly online: boolean
  readonly cursors: number
  readonly isIdle: boolean
  readonly broke: KnownWords | undefined
}

interface PartOptions extends StreamOptions {
  readonly withInbox: boolean
  readonly ids: ReadonlySet<string>
  readonly onAnswer: (answer: DeliveryAnswer) => void
  /** Whether it is online has changed. */
  readonly onLook: () => void
  readonly onRefusal: (answer: DeliveryAnswer) => void
}

/** One subscription. */
class Part {
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

/** One answer alone is taken whatever its size. */
function hasRoom(position: Position, entries: readonly Entry[]): boolean {
  const { waiting, waitingBytes } = position
  if (waiting + entries.length > INCOMING_MAX) return false
  return waiting === 0 || waitingBytes + bytesOf(entries) <= INCOMING_BYTES_MAX
}

/** What the service says in a stream that goes on: of one log, of the inbox, or of the subscription itself. */
const going = new Set<DeliveryAnswer["type"]>([
  ...(["subscribed", "passes", "entries", "inboxEntries", "knocks", "answered"] as const),
  ...(["notFound", "denied", "belowRetention"] as const),
])

const isRefusal = ({ type }: DeliveryAnswer) => !going.has(type)
