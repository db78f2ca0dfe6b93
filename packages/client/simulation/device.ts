import { decode } from "@conclave/codec"
import { type DeliveryRequest, DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import type { CryptoProvider } from "@conclave/crypto"
import { hex } from "../src/bytes.js"
import type { Client } from "../src/client.js"
import type { Moment, State } from "../src/conversation/state.js"
import { type Input, step } from "../src/conversation/step.js"
import type { Conversation } from "../src/conversation.js"
import { ConversationHandle, PLACES_OF_ONE } from "../src/device/handle.js"
import { openDevice } from "../src/device/open.js"
import type { ClientEvent } from "../src/events.js"
import { loadProfile } from "../src/journal/transactions.js"
import { recordKeys } from "../src/records/records.js"
import { MemoryProfile } from "../src/store/memory.js"
import { SealedStore } from "../src/store/sealed.js"
import { type DiskFailure, onDisk, simulatedDisk } from "./disk.js"
import type { ServiceName } from "./gateways/gateway.js"
import { type Invariants, short } from "./invariants.js"
import { Life } from "./life.js"
import { Line, Weather } from "./network.js"
import { type Verified, watchedProvider } from "./provider.js"
import type { Dice } from "./random.js"
import { Recorder } from "./replay.js"
import type { Origin, Services } from "./service.js"
import { simulatedSlicing } from "./slicing.js"
import type { Timeline } from "./timeline.js"
import type { Trace } from "./trace.js"
import { Watch } from "./watch.js"

const SEALING_KEY = new Uint8Array(32).fill(7)

export interface DeviceOptions {
  readonly name: string
  readonly dice: Dice
  /** Of its slices: those of everything else fall as if there were none. */
  readonly sliceDice: Dice
  readonly timeline: Timeline
  readonly trace: Trace
  readonly services: Services
  readonly from: Origin
  readonly invariants: Invariants
  readonly isStrangerAbout: () => boolean
  readonly verified: Verified
  /** Its steps are taken again, and what it has in memory is compared with its disk: that takes longer than all else. */
  readonly isThorough: boolean
}

/** A request that has left the device. */
interface Asked {
  readonly request: DeliveryRequest
  readonly id: string
  /** By group: how far it has been shown the log, or knew it before. */
  readonly readUpTo: Map<string, bigint>
}

/** A call of the application that waits for its wish. */
interface Call {
  readonly what: string
  readonly life: Life
  isAnswered: boolean
}

/** One device: its disk, its lines, its clock, and whoever uses it. What survives a crash is the disk. */
export class SimulatedDevice {
  readonly name: string
  readonly weather: Weather
  readonly watch: Watch
  /** Added to the real time, in milliseconds. */
  clock = 0
  client: Client | undefined
  /** Things that somebody has asked for, and that are still under way. */
  readonly calls: Call[] = []
  readonly #options: DeviceOptions
  readonly #profile = new MemoryProfile()
  readonly #provider: CryptoProvider
  readonly #disk: SealedStore
  readonly #recorder: Recorder
  readonly #asks: boolean
  /** Follows its conversations by a stream. */
  readonly isLive: boolean
  readonly #slicing: ReturnType<typeof simulatedSlicing>
  #life: Life | undefined
  #isBusy = false
  #isDirty = false
  #failure: DiskFailure | undefined
  #opening = 0
  #requests = 0
  /** Keys that were refused, by name. */
  readonly #strange = new Map<string, Uint8Array[]>()

  constructor(options: DeviceOptions) {
    const { name, dice, timeline, invariants, isStrangerAbout } = options
    this.name = name
    this.#options = options
    this.weather = new Weather(timeline)
    this.watch = new Watch({ name, device: name, invariants, isStrangerAbout })
    this.#provider = watchedProvider({
      random: (length) => dice.bytes(length),
      sealed: (sealing) => invariants.sealed(name, sealing),
      verified: options.verified,
    })
    const diskOf = (profile: MemoryProfile) =>
      new SealedStore(onDisk(profile), {
        provider: invariants.provider,
        sealingKey: SEALING_KEY,
        random: () => {
          throw new TypeError("looking on needs no randomness")
        },
      })
    this.#disk = diskOf(this.#profile)
    this.#asks = dice.chance(30)
    this.isLive = dice.chance(60)
    this.#slicing = simulatedSlicing(options.sliceDice)
    this.#recorder = new Recorder({ invariants, diskOf, profile: this.#profile, device: name })
  }

  get handles(): readonly ConversationHandle[] {
    return [...(this.client?.conversations.values() ?? [])].filter((it) => it instanceof ConversationHandle)
  }

  /** Those too whose place another one has taken while they went on. */
  get followed(): readonly ConversationHandle[] {
    return this.handles.flatMap(withEarlier).filter(({ status }) => status !== "continued")
  }

  follows(group: string): ConversationHandle | undefined {
    return this.followed.find(({ id }) => id === group)
  }

  get isOpen(): boolean {
    return this.client !== undefined
  }

  // --- The program ---

  /** Opens the client, and again after a while where that fails. */
  start(): void {
    if (this.#life !== undefined) return
    const life = new Life(() => this.#crashed())
    this.#life = life
    const opening = ++this.#opening
    this.#note("opens")
    if (this.#options.isThorough) this.#recorder.begin()
    this.#open(life).then(
      (client) => {
        if (this.#opening !== opening || life.isOver) void client.close().catch(() => {})
        else this.client = client
      },
      (error: unknown) => {
        if (this.#opening !== opening) return
        this.#note(`cannot open: ${error instanceof Error ? error.message : error}`)
        this.#life = undefined
        this.#later(700)
      },
    )
  }

  #open(life: Life): Promise<Client> {
    const { name, dice, timeline, trace, services } = this.#options
    const common = { life, timeline, dice, trace }
    const connection = services.connection(this.#options.from)
    const line = (service: ServiceName) =>
      new Line<Asked | undefined>({
        ...common,
        name: `${name} (${service})`,
        service,
        connection,
        weather: this.weather,
        onRequest: (body) => (service === "delivery" ? this.#sent(body) : undefined),
        onAnswer: (asked, answer) => asked && this.#answered(asked, answer),
      })
    const store = simulatedDisk({
      ...common,
      name,
      profile: this.#profile,
      failure: () => this.#takeFailure(),
      onBegin: () => {
        this.#isBusy = true
      },
      onEnd: (isApplied) => {
        this.#isBusy = false
        this.#isDirty = true
        this.watch.transaction(isApplied)
      },
    })
    const options = {
      name,
      store,
      delivery: line("delivery"),
      auth: line("auth"),
      provider: this.#provider,
      sealingKey: SEALING_KEY,
      random: (length: number) => this.#recorder.drew(dice.bytes(length)),
      now: () => timeline.now + this.clock,
      live: this.isLive,
      policy: { keyPackages: 4, invitations: this.#asks ? "ask" : "accept" },
    } as const
    const timers = timeline.timers(`${name}'s timer`, life.signal)
    return openDevice(options, {
      timers,
      slicing: this.#slicing(timers),
      step: (state, input, moment) => this.#step(life, state, input, moment),
    })
  }

  /** Closes the client as an application does, and opens it again. */
  restart(): void {
    const { client } = this
    if (client === undefined) return
    this.client = undefined
    this.#opening++
    this.#note("closes")
    const done = () => {
      this.#life?.crash()
      this.#life = undefined
      this.start()
    }
    this.repeatSteps().then(() => client.close().then(done, done))
  }

  /** Takes the steps of the program that ends once more, before its keys are gone. */
  async repeatSteps(): Promise<void> {
    try {
      await this.#recorder.end()
    } catch (error) {
      this.#options.invariants.broken("a step depends on its inputs alone", `${this.name}: ${error}`)
    }
  }

  crashAfter(points: number): void {
    this.#life?.crashAfter(points)
  }

  failNextTransaction(failure: DiskFailure): void {
    this.#failure = failure
  }

  /** From now on nothing goes wrong that has not gone wrong already. */
  calmDown(): void {
    this.weather.clear()
    this.#failure = undefined
    this.#life?.crashAfter(Number.POSITIVE_INFINITY)
    if (this.#life === undefined) this.start()
  }

  #crashed(): void {
    const { client } = this
    this.#note("crashes")
    this.client = undefined
    this.#opening++
    this.#life = undefined
    this.#isBusy = false
    this.#profile.open = false
    this.watch.transaction(false)
    // What is left of the program ends by itself: nothing that it does has any effect.
    void this.repeatSteps().then(() => client?.close().catch(() => {}))
    this.#later(this.#options.dice.between(50, 4_000))
  }

  #later(milliseconds: number): void {
    this.#options.timeline.after(milliseconds, `${this.name} starts again`, () => this.start())
  }

  #takeFailure(): DiskFailure | undefined {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) this.#note(`a transaction fails${failure.isApplied ? ", and has happened" : ""}`)
    return failure
  }

  #step(life: Life, state: State, input: Input, moment: Moment) {
    if (life.isOver) return step(state, input, moment)
    const stepped = this.#recorder.step(state, input, moment)
    this.watch.stepped({ group: state.key, cursor: stepped.state.position.cursor, effects: stepped.effects })
    return stepped
  }

  #sent(body: Uint8Array): Asked {
    const request = deliveryRequests.decode(body)
    if (request.type === "append") this.#options.invariants.sent(this.name, request)
    const readUpTo = new Map<string, bigint>()
    if (request.type === "read") readUpTo.set(hex(request.groupId), request.afterSeq)
    if (request.type === "subscribe") {
      for (const { groupId, afterSeq } of request.cursors) readUpTo.set(hex(groupId), afterSeq)
    }
    return { request, id: `${this.name} ${++this.#requests}`, readUpTo }
  }

  #answered({ request, id, readUpTo }: Asked, bytes: Uint8Array): void {
    const { invariants } = this.#options
    const answer = decode(DeliveryResponse, bytes)
    if (answer.type === "entries" && answer.entries.length > 0) {
      const { entries, incarnation } = answer
      const group = hex(answer.groupId)
      const after = readUpTo.get(group)
      invariants.aDenseLogTheSameForAll(group, entries, { who: this.name, incarnation })
      if (after !== undefined) invariants.nothingIsLeftOut(group, after, entries, this.name)
      const last = entries.at(-1)!.seq
      if (after !== undefined && last > after) readUpTo.set(group, last)
    } else if (answer.type === "accepted" && request.type === "append") {
      const { body } = request
      invariants.acknowledged(hex(request.groupId), answer.seq, { body, incarnation: answer.incarnation })
    } else if (answer.type === "keyPackage" && !answer.lastResort) {
      invariants.aKeyPackageAnswersOneClaim(answer.keyPackage, id)
    } else if (answer.type === "alreadyExists") {
      // Ids of groups are drawn: it is this device's own request that comes again.
      invariants.broken("nothing is refused", `${this.name}: a group that it makes is there already`)
    }
  }

  // --- The person ---

  call(what: string, call: (conversation: Conversation) => Promise<unknown>, group: number): void {
    const all = this.handles
    const conversation = all[group % Math.max(1, all.length)]
    if (conversation !== undefined) this.ask(`${what} in ${short(conversation.id)}`, () => call(conversation))
  }

  /** Asks the client for something, and does not wait. */
  ask(what: string, begin: () => Promise<unknown>): void {
    const life = this.#life
    if (life === undefined || this.client === undefined) return
    this.#note(what)
    const call: Call = { what, life, isAnswered: false }
    this.calls.push(call)
    const answered = (how: string) => {
      call.isAnswered = true
      if (!life.isOver) this.#note(`${what}: ${how}`)
    }
    try {
      begin().then(
        () => answered("done"),
        (error: unknown) => answered(error instanceof Error ? error.message : String(error)),
      )
    } catch (error) {
      answered(String(error))
    }
  }

  /** Calls of the program that is running to which nothing has been answered. */
  get unanswered(): readonly string[] {
    return this.calls.filter(({ life, isAnswered }) => life === this.#life && !isAnswered).map(({ what }) => what)
  }

  /** Reads the events that wait; acknowledges them, or leaves them. */
  look({ acknowledge }: { readonly acknowledge: boolean }): void {
    const { client } = this
    if (client === undefined) return
    const life = this.#life
    const stop = new AbortController()
    let last = 0
    const reading = (async () => {
      for await (const event of client.events({ peek: true, signal: stop.signal })) {
        if (life?.isOver) return
        last = event.number
        this.#see(event)
      }
    })()
    reading.catch(() => {})
    // The disk answers at once: at the next moment, everything that was there has been read.
    this.#options.timeline.after(0, `${this.name} has read the events`, () => {
      stop.abort()
      if (acknowledge && last > 0 && this.client === client) void client.acknowledge(last).catch(() => {})
    })
  }

  #see({ number, type, ...event }: ClientEvent): void {
    const parts: string[] = [type]
    if ("reason" in event) parts.push(event.reason)
    if ("messageId" in event) parts.push(`${event.messageId}`)
    if ("seq" in event && event.seq !== undefined) parts.push(`${event.seq % PLACES_OF_ONE}`)
    if ("by" in event) parts.push(event.by)
    if ("title" in event) parts.push(event.title)
    this.watch.eventsNeverChange(number, parts.join(": "))
    if (type === "keyChanged" && "accepted" in event && !event.accepted) {
      this.#strange.set(event.name, [...(this.#strange.get(event.name) ?? []), event.signatureKey])
    }
  }

  /** Somebody asks this person in. */
  get isAsked(): boolean {
    return this.handles.some(({ status }) => status === "invited")
  }

  /** Makes a new group where nobody can go on, or where nobody lets this device in again. */
  goOn(): void {
    for (const it of this.handles) {
      if (it.status !== "stopped" && it.status !== "recovering") continue
      this.ask(`goes on in place of ${short(it.id)}`, () => it.restart())
    }
  }

  approve(): void {
    const { client } = this
    for (const [name, keys] of this.#strange) {
      for (const key of keys) this.ask(`approves a key of ${name}`, () => client!.approveKey(name, key))
    }
    this.#strange.clear()
  }

  // --- What is checked of it ---

  /** Something was stored since it was checked last. */
  get isToBeChecked(): boolean {
    return this.#isDirty && !this.#isBusy && this.client !== undefined
  }

  /** After each step of the simulation that has left something to be checked. */
  async check(): Promise<void> {
    this.#isDirty = false
    for (const handle of this.handles) {
      const { outline } = handle.driver.view
      if (outline !== undefined) {
        const { epoch, epochAuthenticator, names } = outline
        const authenticator = hex(epochAuthenticator)
        this.#options.invariants.sameEpochSameGroup(this.name, handle.id, epoch, {
          authenticator,
          names: names.join(","),
        })
      }
      if (this.#options.isThorough) await this.watch.whatIsInMemoryIsStored(handle, this.#disk)
    }
    const profile = await loadProfile(this.#disk)
    if (profile !== undefined) this.watch.eventsHaveNoGaps(this.#storedEvents(), Number(profile.nextEvent))
  }

  #storedEvents(): readonly number[] {
    const keys = [...this.#profile.records.keys()].filter((key) => key.startsWith(recordKeys.events))
    return keys.map((key) => Number(key.slice(recordKeys.events.length))).sort((a, b) => a - b)
  }

  #note(what: string): void {
    this.#options.trace.note(this.#options.timeline.elapsed, `${this.name} ${what}`)
  }
}

function withEarlier(conversation: ConversationHandle): readonly ConversationHandle[] {
  const { continues } = conversation
  return continues === undefined ? [conversation] : [conversation, ...withEarlier(continues)]
}
