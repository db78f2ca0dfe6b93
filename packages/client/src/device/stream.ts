import type { Entry } from "@conclave/contracts/delivery"
import { bytesOf, type Position } from "../conversation/position.js"
import { faultWords, type Line } from "../line.js"
import { type DeliveryAnswer, refusalOf, toldBy } from "../service/delivery.js"
import type { ConversationHandle } from "./handle.js"
import { Polling } from "./polling.js"
import { PollingRound } from "./polling-round.js"
import { Part, RENEWAL_MILLISECONDS, type StreamOptions, type StreamPart } from "./subscription.js"

/** More entries, or bytes, of one log that nobody has taken yet are read in pages instead. */
const INCOMING_MAX = 1024
const INCOMING_BYTES_MAX = 4 * 1024 * 1024
/** Cursors in one subscription: as many as the service takes by default. */
const CURSORS_MAX = 1000

/**
 * The service's stream: brings entries to the conversations, and comes back after each break where it stood. As one
 * subscription follows a limited number of conversations, there are as many as it takes; the first one follows the
 * inbox too. While subscriptions break and the service answers requests, what they would bring is asked for.
 */
export class Stream {
  readonly #options: StreamOptions
  readonly #parts: Part[] = []
  #cursorsMax = CURSORS_MAX
  #online = false
  /** The line, as it was told last. */
  #told = ""
  #refused = false
  #renewed = 0
  #cancelRenewal: (() => void) | undefined
  readonly #polling: Polling
  /** The number of the next event, when that was looked at last. */
  #nextEvent: bigint

  constructor(options: StreamOptions) {
    this.#options = options
    const { inbox, transactions } = options
    this.#nextEvent = transactions.profile.nextEvent
    const round = new PollingRound({ inbox, conversations: () => this.#unfollowed() })
    this.#polling = new Polling({ ...options, round: () => round.run(), onChange: () => this.#tell() })
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

  get line(): Line {
    const part = this.#parts.find(({ online, isIdle }) => !online && !isIdle)
    if (this.#online || part === undefined) return this.#online ? { state: "connected" } : closedLine
    const { fault, reason } = part
    const state = this.#polling.isAnswered ? "polling" : "offline"
    return { state, fault, reason: fault === undefined ? reason : faultWords[fault] }
  }

  /** Looks whether the streams that are open still carry something, and opens those that are not. */
  reconnect(): void {
    this.#options.delivery.probe()
    for (const part of this.#parts) part.hasten()
    this.#polling.now()
  }

  /** There is somebody now to whom signals are told. */
  hear(): void {
    for (const part of this.#parts) part.hear()
  }

  /** After each transaction: who has just sent or received something is asked for news sooner. */
  notice(): void {
    const { nextEvent } = this.#options.transactions.profile
    if (nextEvent === this.#nextEvent) return
    this.#nextEvent = nextEvent
    this.#polling.hasten()
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
    return Promise.all([...this.#parts, this.#polling].map(({ done }) => done)).then(() => {})
  }

  /** Conversations of which no open subscription brings anything. */
  #unfollowed(): readonly ConversationHandle[] {
    const down = this.#parts.filter(({ online }) => !online)
    return [...this.#following().values()].filter(({ id }) => down.some((part) => part.has(id)))
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
    if (answer.type === "signal") {
      this.#options.onSignal(conversation, answer.body)
      return
    }
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
    if (!this.#options.signal.aborted && this.#parts.some(({ isBroken }) => isBroken)) this.#polling.start()
    else this.#polling.stop()
    this.#online = online
    this.#tell()
  }

  /** Whether the line, or what is known of it, is another than before. */
  #tell(): void {
    const { log, signal } = this.#options
    const { line } = this
    const told = Object.values(line).join()
    if (this.#told === told) return
    this.#told = told
    if (line.state === "connected") log.write("online", { subscriptions: this.#parts.length })
    else if (line.state === "polling") log.write("polling", { fault: line.fault })
    else if (!signal.aborted) log.write("offline", { because: this.#parts.find((part) => !part.online)?.broke })
    this.#options.onChange()
  }
}

const closedLine: Line = { state: "offline", fault: undefined, reason: "nothing is followed" }

/** One answer alone is taken whatever its size. */
function hasRoom(position: Position, entries: readonly Entry[]): boolean {
  const { waiting, waitingBytes } = position
  if (waiting + entries.length > INCOMING_MAX) return false
  return waiting === 0 || waitingBytes + bytesOf(entries) <= INCOMING_BYTES_MAX
}
