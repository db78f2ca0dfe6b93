import { decode } from "@conclave/codec"
import type { Effect } from "../src/conversation/effects.js"
import { decodePayload } from "../src/conversation/payload.js"
import { State } from "../src/conversation/state.js"
import type { ConversationHandle } from "../src/device/handle.js"
import { loadState } from "../src/device/loading.js"
import { type NewEvent, Wish } from "../src/records/records.js"
import type { SealedStore } from "../src/store/sealed.js"
import { type Invariants, short } from "./invariants.js"
import { hex } from "./provider.js"

/** What a step wants stored; it counts when the transaction has happened. */
export interface Stepping {
  readonly group: string
  readonly cursor: bigint
  readonly effects: readonly Effect[]
}

/** One conversation of one device, as its effects tell it. */
interface Seen {
  /** Wishes by number: what they are, until they have ended. */
  readonly wishes: Map<number, { readonly wish: Wish; readonly hasEnded: boolean }>
  /** Seqs of messages that the application was told of. */
  readonly told: Set<bigint>
  readonly sent: Set<string>
  /** The same messages, as their events show them. */
  readonly shown: Set<string>
  lastTold: bigint
  /** An invitation waits for its answer: nothing is told of the conversation until then. */
  isWaiting: boolean
  /** Where this device was removed. */
  goneAt: bigint | undefined
  /** Somewhere it could not follow, or it came later. */
  hasGaps: boolean
}

/** The invariants of one device: what its steps store is held against what the others see, and what came before. */
export class Watch {
  readonly #name: string
  readonly device: string
  readonly #invariants: Invariants
  readonly #isStrangerAbout: () => boolean
  readonly #conversations = new Map<string, Seen>()
  readonly #events = new Map<number, string>()
  #steps: Stepping[] = []
  /** Events of a conversation that is forgotten are not shown any more. */
  #hasForgotten = false

  constructor(options: { name: string; device: string; invariants: Invariants; isStrangerAbout: () => boolean }) {
    this.#name = options.name
    this.device = options.device
    this.#invariants = options.invariants
    this.#isStrangerAbout = options.isStrangerAbout
  }

  stepped(stepping: Stepping): void {
    this.#steps.push(stepping)
  }

  /** What was computed before is stored, or is not. */
  transaction(isApplied: boolean): void {
    const steps = this.#steps
    this.#steps = []
    if (isApplied) for (const step of steps) this.#stored(step)
  }

  seen(group: string): Seen | undefined {
    return this.#conversations.get(group)
  }

  get events(): ReadonlyMap<number, string> {
    return this.#events
  }

  #stored({ group, cursor, effects }: Stepping): void {
    const seen = this.#conversation(group)
    if (effects.some(({ type }) => type === "hide")) seen.hasGaps = true
    const emitted = effects.flatMap((effect) => (effect.type === "emit" ? [effect.event] : []))
    for (const effect of effects) this.#wishEndsOnce(group, seen, effect, emitted)
    for (const event of emitted) this.#told(group, seen, cursor, event)
    if (!effects.some(({ type }) => type === "forget")) return
    this.#conversations.delete(group)
    this.#hasForgotten = true
  }

  #conversation(group: string): Seen {
    const seen = this.#conversations.get(group) ?? {
      wishes: new Map(),
      told: new Set(),
      sent: new Set(),
      shown: new Set(),
      lastTold: 0n,
      isWaiting: false,
      goneAt: undefined,
      hasGaps: false,
    }
    this.#conversations.set(group, seen)
    return seen
  }

  #wishEndsOnce(group: string, seen: Seen, effect: Effect, emitted: readonly NewEvent[]): void {
    if (effect.type !== "put" && effect.type !== "delete") return
    const [, number] = /\/wish\/(\d+)$/.exec(effect.key) ?? []
    if (number === undefined) return
    const wish = seen.wishes.get(Number(number))
    if (effect.type === "put") {
      if (wish?.hasEnded) this.#broken("a wish ends once", `wish ${Number(number)} in ${short(group)} comes back`)
      else seen.wishes.set(Number(number), { wish: decode(Wish, effect.record), hasEnded: false })
      return
    }
    if (wish === undefined) return
    if (wish.hasEnded) this.#broken("a wish ends once", `wish ${Number(number)} in ${short(group)} ends again`)
    seen.wishes.set(Number(number), { ...wish, hasEnded: true })
    if (wish.wish.type !== "message") return
    const { body, messageId } = decodePayload(wish.wish.payload)
    const isAnswered = emitted.some(
      (event) =>
        event.type === "failed" || (event.type === "sent" && isSame(decodePayload(event.payload).messageId, messageId)),
    )
    // It is said in the group that takes the place of this one: by a wish that the same transaction has stored.
    const isMoved = [...this.#conversations].some(
      ([other, { wishes }]) => other !== group && [...wishes.values()].some((it) => isOf(it.wish, messageId)),
    )
    if (body.type !== "title" && !isAnswered && !isMoved) {
      this.#broken("a wish ends once", "a message has ended without a place, and without a reason")
    }
  }

  #told(group: string, seen: Seen, cursor: bigint, event: NewEvent): void {
    if (event.type === "invited" || event.type === "joined") seen.isWaiting = event.type === "invited"
    if (seen.isWaiting && event.type !== "invited" && event.type !== "left") return
    switch (event.type) {
      case "message":
      case "sent":
        this.#toldMessage(group, seen, event)
        break
      case "left":
        seen.goneAt = cursor
        seen.hasGaps = true
        break
      case "joined":
      case "invited":
        seen.goneAt = undefined
        seen.hasGaps = true
        seen.lastTold = 0n
        break
      case "recovered":
      case "stopped":
        seen.hasGaps = true
        break
      case "lost":
      case "halted":
        seen.hasGaps = true
        if (event.type !== "halted") this.#nothingIsRefused(event)
        break
      case "rejected":
        this.#nothingIsRefused(event)
        break
    }
  }

  #toldMessage(group: string, seen: Seen, event: Extract<NewEvent, { type: "message" | "sent" }>): void {
    const { seq } = event
    const payload = decodePayload(event.payload)
    const id = hex(payload.messageId)
    const from = event.type === "sent" ? this.#name : event.from
    // What was lost in a failover is another entry's place now; a device goes back, and may be told again.
    if (this.#invariants.isUnsettled(group)) {
      seen.hasGaps = true
      return
    }
    const entry = this.#invariants.entry(group, seq)
    if (seen.told.has(seq)) this.#broken("nothing is told twice", `message ${seq} of ${short(group)} is told again`)
    const isSentBefore = [...this.#conversations.values()].some(({ sent }) => sent.has(id))
    if (event.type === "sent" && isSentBefore) this.#broken("nothing is told twice", `${id} is sent twice`)
    if (seq < seen.lastTold) {
      this.#broken("told in the order of the log", `message ${seq} of ${short(group)} is told after ${seen.lastTold}`)
    }
    if (seen.goneAt !== undefined && seq > seen.goneAt) {
      this.#broken("nothing after the removal", `message ${seq} is read by a device that was removed at ${seen.goneAt}`)
    }
    if (entry?.isStranger) this.#broken("a stranger changes nothing", `a stranger's entry ${seq} is a message`)
    const members = entry && this.#invariants.membersOf(group, entry.epoch)
    if (members !== undefined && event.type === "message" && !members.split(",").includes(this.#name)) {
      this.#broken("only members read", `message ${seq} is of epoch ${entry!.epoch}, whose members are ${members}`)
    }
    seen.told.add(seq)
    if (payload.body.type !== "title") seen.shown.add(`${event.type}: ${id}: ${seq}`)
    if (event.type === "sent") seen.sent.add(id)
    seen.lastTold = seq
    this.#invariants.onePlaceOneMessage(this.device, `${group} ${seq}`, `${id} of ${from}`)
  }

  /** With honest services and members nobody is lost, nothing is refused, and nobody has to come in again. */
  #nothingIsRefused(event: Extract<NewEvent, { reason: string }>): void {
    if (event.type === "rejected" && event.code === "INTERNAL") {
      this.#broken("no fault in the program", event.reason)
    }
    if (!this.#isStrangerAbout()) this.#broken("nothing is refused", `${event.type}: ${event.reason}`)
  }

  /** A fault that nobody expected is told by an event that no step of a conversation emits. */
  eventsNeverChange(number: number, what: string): void {
    const before = this.#events.get(number)
    if (before !== undefined && before !== what) {
      this.#broken("events never change", `event ${number} was "${before}" and is "${what}"`)
    }
    this.#events.set(number, what)
    if (!/^(recovered|lost|rejected)/.test(what)) return
    if (!this.#isStrangerAbout()) this.#broken("nothing is refused", what)
  }

  /** `stored`: the numbers of the events on the disk. */
  eventsHaveNoGaps(stored: readonly number[], nextEvent: number): void {
    const last = stored.at(-1)
    const isDense = stored.every((number, at) => number === stored[0]! + at)
    if (!isDense || (last !== undefined && last !== nextEvent - 1)) {
      this.#broken("events have no gaps", `the events ${stored} are stored, and the next is ${nextEvent}`)
    }
  }

  /** The application has seen each event that was stored with what it tells of. */
  eventsWereAllShown(): void {
    // Nor those of an invitation that a failover has lost.
    if (this.#hasForgotten || this.#invariants.hasLost) return
    const events = new Set(this.#events.values())
    for (const [group, { shown }] of this.#conversations) {
      const hidden = [...shown].find((what) => !events.has(what))
      if (hidden !== undefined) this.#broken("what is told is shown", `nobody saw ${hidden} in ${short(group)}`)
    }
    const numbers = [...this.#events.keys()].sort((a, b) => a - b)
    const gap = numbers.findIndex((number, at) => number !== at + 1)
    if (gap >= 0) this.#broken("events have no gaps", `event ${gap + 1} was never there`)
  }

  /** Every message that was told is in the history, once; and nothing else. */
  async historyIsComplete(conversation: ConversationHandle): Promise<void> {
    if (this.#invariants.isUnsettled(conversation.id)) return
    const seen = this.#conversations.get(conversation.id)
    const { firstPlace, continues } = conversation
    const history = await conversation.history({ limit: 1_000_000 })
    if (continues !== undefined) {
      await this.historyIsComplete(continues)
      const earlier = await continues.history({ limit: 1_000_000 })
      const isSameBegin = isSame(history.slice(0, earlier.length), earlier)
      if (!isSameBegin) this.#broken("history is complete", "it does not go back into what was said before")
    }
    const seqs = history.flatMap(({ seq }) => (seq >= firstPlace ? [seq - firstPlace] : []))
    if (new Set(seqs).size !== seqs.length) this.#broken("history is complete", "a place is there twice")
    for (const seq of seen?.told ?? []) {
      if (!seqs.includes(Number(seq))) this.#broken("history is complete", `message ${seq} was told, and is not there`)
    }
    if (seen === undefined || seen.hasGaps) return
    for (const [seq, content] of this.#invariants.messagesIn(conversation.id)) {
      if (!seqs.includes(seq)) this.#broken("history is complete", `${content} at ${seq} is missing`)
    }
  }

  /** Whatever is in memory of a conversation can be read from the disk. */
  async whatIsInMemoryIsStored(conversation: ConversationHandle, disk: SealedStore): Promise<void> {
    const { driver, id } = conversation
    const { state, means } = driver
    const stored = new State(state.id)
    await loadState(stored, disk, means)
    const differences = (["facts", "commit", "unapproved", "continuation"] as const).filter(
      (part) => !isSame(state[part], stored[part]),
    )
    const others: readonly (readonly [string, unknown, unknown])[] = [
      ["position", state.position.stored, stored.position.stored],
      ["wishes", [...state.wishes], [...stored.wishes]],
      ["outline", state.outline.shown, stored.outline.shown],
    ]
    const all = [...differences, ...others.flatMap(([part, a, b]) => (isSame(a, b) ? [] : [part]))]
    if (all.length > 0) {
      this.#broken("what is in memory is what is stored", `${all.join(" and ")} of ${short(id)} differ`)
    }
  }

  #broken(invariant: Parameters<Invariants["broken"]>[0], message: string): void {
    this.#invariants.broken(invariant, `${this.device}: ${message}`)
  }
}

function isOf(wish: Wish, messageId: Uint8Array): boolean {
  return wish.type === "message" && isSame(decodePayload(wish.payload).messageId, messageId)
}

/** The same content; for records that have been decoded. */
export function isSame(a: unknown, b: unknown): boolean {
  return a === b || text(a) === text(b)
}

export function text(value: unknown): string {
  return JSON.stringify(value, (_, it) => {
    if (typeof it === "bigint") return `${it}n`
    if (it instanceof Uint8Array) return hex(it)
    if (it instanceof Map) return [...it]
    return it
  })
}
