import { hex } from "../src/bytes.js"
import type { Conversation } from "../src/conversation.js"
import type { ConversationHandle } from "../src/device/handle.js"
import { SimulatedDevice } from "./device.js"
import { Invariants, Violation } from "./invariants.js"
import type { Lie } from "./ledger.js"
import { DURATION, type Item, NAMES, type Plan } from "./plan.js"
import { onVirtualPlatform, settled } from "./platform.js"
import { type Verified, watchedProvider } from "./provider.js"
import { Dice, diceFor } from "./random.js"
import { type Origin, Services } from "./service.js"
import { Stranger } from "./stranger.js"
import { Timeline } from "./timeline.js"
import { Trace } from "./trace.js"

export interface RunOptions {
  readonly lie?: Lie | undefined
  /** Keep what happens in words. */
  readonly trace?: boolean
}

export interface Outcome {
  readonly violation: Violation | undefined
  /** Events of the timeline: requests, answers, transactions, timers, wishes, faults. */
  readonly steps: number
  /** SHA-256 of everything that happened, in hexadecimal. */
  readonly fingerprint: string
  readonly lines: readonly string[]
  /** Entries of all logs. */
  readonly entries: number
}

/** One of so many seeds is looked at as closely as can be; and the plans that are kept. */
const THOROUGH_EVERY = 4
const BEGIN = 1_800_000_000_000
/** With good lines everything ends within this time (milliseconds): the longest pause that a service asks for is shorter. */
const END_MAX = 600_000
/** After a failover that has lost something, members hold commits back for ten minutes, some of them one after the other. */
const END_MAX_AFTER_LOSS = 3_000_000
const ROUND = 5_000
/** Between the last item of a plan and the good lines. */
const AFTERMATH = 5_000
/** Rounds become longer: what takes its time needs nobody to ask for it all the while. */
const ROUND_MAX = 40_000
/** A subscription that broke again and again pauses for up to a minute. */
const HEARING_MAX = 120_000
const HEARING_SLOWLY = 4_000
const RENEWALS_MAX = 5
/** A run that goes on for longer goes round in a circle. */
const STEPS_MAX = 60_000

/** Carries out a plan from its beginning to its end, or to the first violation. */
export function run(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  return new World(plan, options).run()
}

class World {
  readonly #plan: Plan
  readonly #timeline = new Timeline(BEGIN)
  readonly #trace: Trace
  readonly #invariants: Invariants
  readonly #services: Services
  readonly #stranger: Stranger
  readonly #devices: readonly SimulatedDevice[]
  #steps = 0

  constructor(plan: Plan, { lie, trace = false }: RunOptions) {
    const { seed } = plan
    this.#plan = plan
    this.#trace = new Trace(trace)
    const random = diceFor(seed, "service")
    const verified: Verified = new Map()
    const provider = watchedProvider({ random: (length) => random.bytes(length), sealed: () => {}, verified })
    this.#invariants = new Invariants(provider, () => this.#timeline.now)
    const { store: kind, gateways } = plan.service ?? { store: "memory", gateways: 1 }
    const common = { timeline: this.#timeline, invariants: this.#invariants, trace: this.#trace }
    this.#services = new Services({
      ...common,
      dice: diceFor(seed, "lies"),
      lie,
      kind,
      gateways,
      chance: diceFor(seed, "gateways at work"),
      onError: (error) => this.#invariants.broken("no fault in the program", `the service: ${error}`),
    })
    this.#stranger = new Stranger(this.#services, provider)
    const origins = originsOf(plan)
    this.#devices = NAMES.slice(0, plan.devices).map(
      (name, n) =>
        new SimulatedDevice({
          ...common,
          name,
          from: origins[n]!,
          dice: diceFor(seed, name),
          sliceDice: diceFor(seed, `slices of ${name}`),
          services: this.#services,
          verified,
          isThorough: plan.service === undefined || seed % THOROUGH_EVERY === 0,
          isStrangerAbout: () => this.#stranger.isAbout || this.#invariants.hasLost,
        }),
    )
  }

  async run(): Promise<Outcome> {
    const leaked = (what: string) => this.#invariants.broken("nothing from outside", `${what} was asked for`)
    await onVirtualPlatform(this.#timeline, leaked, async () => {
      try {
        await this.#play()
        await this.#end()
      } catch (error) {
        if (!(error instanceof Violation)) throw error
      }
      await this.#close()
    })
    return {
      violation: this.#invariants.violation,
      steps: this.#steps,
      fingerprint: this.#trace.fingerprint(),
      lines: this.#trace.lines,
      entries: await this.#entries(),
    }
  }

  async #play(): Promise<void> {
    for (const device of this.#devices) this.#timeline.after(0, `${device.name} starts`, () => device.start())
    for (const item of this.#plan.items) {
      this.#timeline.after(item.at, item.kind, () => this.#happen(item))
    }
    await this.#until(Math.max(DURATION, (this.#plan.items.at(-1)?.at ?? 0) + AFTERMATH))
  }

  /** Good lines for everybody: all that was wished for ends, and all agree. */
  async #end(): Promise<void> {
    await this.#agree()
    await this.#whoListensHears()
    await this.#agree()
    for (const device of this.#devices) device.look({ acknowledge: true })
    await settled()
    await this.#until(this.#timeline.elapsed + 1_000)
    for (const device of this.#devices) {
      const isStuck = this.#services.ledger.groups.some((group) => this.#hasGhosts(hex(group)))
      for (const what of isStuck ? [] : device.unanswered) {
        this.#fail("every call is answered", `${device.name}: ${what}`)
      }
      device.watch.eventsWereAllShown()
      for (const it of device.handles) await device.watch.historyIsComplete(it)
    }
    await this.#checkLogs()
    for (const device of this.#devices) await device.repeatSteps()
    this.#require()
  }

  /** Somebody says something in each group, and all who have a stream come to read it without being asked to. */
  async #whoListensHears(): Promise<void> {
    const { seed } = this.#plan
    if (seed % 2 === 0) this.#services.bus.lostUntil = Number.POSITIVE_INFINITY
    if (seed % 3 === 0) this.#services.database.begin("slow", HEARING_SLOWLY)
    for (const group of this.#services.ledger.groups) {
      const speaker = this.#devices.find((device) => device.follows(hex(group))?.status === "active")
      speaker?.ask("says something", () => speaker.follows(hex(group))!.send("is anybody there?"))
    }
    let deaf: string | undefined
    // A device that cannot tell where the logs part goes on after ten minutes.
    const end = this.#timeline.elapsed + (this.#invariants.hasLost ? END_MAX_AFTER_LOSS : HEARING_MAX)
    for (let round = 0; this.#timeline.elapsed < end; round++) {
      await settled()
      await this.#until(this.#timeline.elapsed + lengthOf(round))
      deaf = await this.#deaf()
      if (deaf === undefined) return
    }
    this.#fail("who listens hears", deaf!)
  }

  async #deaf(): Promise<string | undefined> {
    for (const group of this.#services.ledger.groups) {
      if (this.#hasGhosts(hex(group))) continue
      const head = BigInt((await this.#services.ledger.log(group)).length)
      for (const device of this.#devices) {
        const handle = device.follows(hex(group))
        if (!device.isLive || handle?.status !== "active") continue
        const { cursor } = handle.driver.state.position
        if (cursor < head) return `${device.name} has a stream, and has read ${cursor} of ${head} entries`
      }
    }
    return undefined
  }

  async #agree(): Promise<void> {
    let difference: string | undefined
    let renewals = 0
    const end = this.#timeline.elapsed + (this.#invariants.hasLost ? END_MAX_AFTER_LOSS : END_MAX)
    for (let round = 0; this.#timeline.elapsed < end; round++) {
      this.#services.calmDown()
      for (const device of this.#devices) {
        device.calmDown()
        device.look({ acknowledge: true })
        device.approve()
        for (const it of device.handles) if (it.status === "invited") device.ask("accepts", () => it.accept())
        // Streams bring what there is, most often: nobody is asked to look before they have had a round for it.
        if (round > 0 || !device.isLive) device.ask("synchronizes", () => device.client!.sync())
        // Another one may have made a new group: whoever is asked has no need to.
        const mayBeStuck = this.#stranger.hasLockedOut || this.#invariants.hasLost
        if (mayBeStuck && round % 3 === 2 && !device.isAsked) device.goOn()
      }
      await settled()
      await this.#until(this.#timeline.elapsed + lengthOf(round))
      difference = await this.#difference()
      // A service that had no room says when it may have some: what was asked of a conversation that it does not know yet comes then.
      if (difference === undefined && this.#devices.some(({ unanswered }) => unanswered.length > 0)) continue
      if (difference === undefined) return
      // Newcomers are told the title with what a member does next.
      if (!difference.includes("another title")) continue
      if (renewals++ === RENEWALS_MAX && !this.#invariants.hasLost) break
      for (const device of this.#devices) this.#renew(device)
    }
    if (difference !== undefined) this.#fail("everybody agrees in the end", difference)
  }

  #renew(device: SimulatedDevice): void {
    for (const it of device.handles) if (it.status === "active") device.ask("renews keys", () => it.refresh())
  }

  /** What is still under way needs the timeline to end. */
  async #close(): Promise<void> {
    for (const device of this.#devices) device.client?.close().catch(() => {})
    for (let steps = 0; steps < 1_000 && this.#timeline.next(this.#timeline.now + 60_000) !== undefined; steps++) {
      await settled()
    }
  }

  async #difference(): Promise<string | undefined> {
    const closed = this.#devices.find(({ isOpen }) => !isOpen)
    if (closed !== undefined) return `${closed.name} cannot be opened`
    for (const group of this.#services.ledger.groups) {
      const head = BigInt((await this.#services.ledger.log(group)).length)
      const difference = this.#differenceIn(hex(group), head)
      if (difference !== undefined) return difference
    }
    return undefined
  }

  #differenceIn(group: string, head: bigint): string | undefined {
    const there = this.#devices.flatMap((device) => {
      const handle = device.follows(group)
      return handle === undefined ? [] : [{ device, handle }]
    })
    if (this.#hasGhosts(group)) return undefined
    for (const { device, handle } of there) {
      const { status, driver } = handle
      if (status !== "active" && status !== "left") return `${device.name} is ${status}`
      const { cursor } = driver.state.position
      if (status === "active" && cursor < head) return `${device.name} has read ${cursor} of ${head} entries`
      const wishes = [...driver.state.wishes].map(([number, { type }]) => `${type} ${number}`)
      if (wishes.length > 0) return `${device.name} still has ${wishes.join(", ")}`
      if (driver.state.commit !== undefined) return `${device.name} has a commit under way`
    }
    const active = there.filter(({ handle }) => handle.status === "active")
    const [first] = active
    if (first === undefined) return undefined
    const difference =
      differenceAmong(active, "epoch", ({ epoch }) => epoch) ??
      differenceAmong(active, "authenticator", ({ epochAuthenticator }) => hex(epochAuthenticator)) ??
      differenceAmong(active, "members", ({ members }) => members) ??
      // A title goes with what a member does next: a person whom another group has taken on does nothing here any more.
      differenceAmong(active.filter(isListed), "title", ({ title }) => title)
    if (difference !== undefined) return difference
    const names = active.map(({ device }) => device.name).sort()
    const members = [...first.handle.members]
    return `${names}` === `${members}` ? undefined : `the members are ${members}, and ${names} say that they are`
  }

  /**
   * A commit that a failover has lost is given back without its Welcome: whom it added is a member, and may never come. The
   * others cannot leave then where nobody else commits, so nothing is required of such a group but what holds all the time.
   */
  #hasGhosts(group: string): boolean {
    if (!this.#invariants.isUnsettled(group)) return false
    const there = new Set(this.#devices.filter((it) => hasCome(it.follows(group)?.status)).map(({ name }) => name))
    const listed = this.#devices.flatMap((it) => [...(it.follows(group)?.members ?? [])])
    return listed.some((name) => !there.has(name))
  }

  /** Lets everything happen that is due up to a time, in milliseconds from the beginning. */
  async #until(elapsed: number): Promise<void> {
    for (;;) {
      const what = this.#timeline.next(BEGIN + elapsed)
      if (what === undefined) break
      await settled()
      await this.#check(what)
    }
    this.#timeline.now = BEGIN + elapsed
  }

  async #check(what: string): Promise<void> {
    this.#steps++
    this.#trace.note(this.#timeline.elapsed, what)
    for (const device of this.#devices) if (device.isToBeChecked) await device.check()
    if (this.#steps % 32 === 0) await this.#checkLogs()
    if (this.#steps > STEPS_MAX) this.#fail("everybody agrees in the end", "it goes on and on")
    this.#require()
  }

  async #checkLogs(): Promise<void> {
    for (const groupId of this.#services.ledger.groups) {
      this.#invariants.anAcknowledgedAppendIsKept(hex(groupId), await this.#services.ledger.log(groupId))
    }
  }

  async #entries(): Promise<number> {
    let entries = 0
    for (const groupId of this.#services.ledger.groups) entries += (await this.#services.ledger.log(groupId)).length
    return entries
  }

  #require(): void {
    if (this.#invariants.violation !== undefined) throw this.#invariants.violation
  }

  #fail(...violation: Parameters<Invariants["broken"]>): void {
    this.#invariants.broken(...violation)
    this.#require()
  }

  // --- What the plan says ---

  #happen(item: Item): void {
    const { kind, who, amount } = item
    const device = this.#devices[who]
    if (device === undefined) return
    const dice = new Dice(item.seed)
    switch (kind) {
      case "loss":
      case "partition":
      case "delay":
      case "duplication":
      case "stream":
        device.weather.begin(kind, amount)
        break
      case "crash":
        device.crashAfter(amount)
        break
      case "disk":
        device.failNextTransaction({ isApplied: dice.chance(50) })
        break
      case "clock":
        device.clock = amount
        break
      case "hints":
        this.#services.bus.lostUntil = this.#timeline.elapsed + amount
        break
      case "outage":
        this.#services.outage[dice.pick(["auth", "delivery"] as const)] = this.#timeline.elapsed + amount
        break
      case "gateway":
        dice.pick(this.#services.gateways).crash()
        break
      case "drain":
        dice.pick(this.#services.gateways).drain()
        break
      case "cut":
        dice.pick(this.#services.gateways).cutOff(amount)
        break
      case "slow":
      case "full":
      case "unknown":
      case "exhausted":
        this.#services.database.begin(kind, amount)
        break
      case "failover":
        void this.#services.failOver(amount)
        break
      case "stranger":
        void this.#stranger.act(dice)
        break
      case "lockout":
        void this.#stranger.lockOut(dice)
        break
      case "impostor":
        void this.#stranger.impersonate(NAMES[item.whom]!, dice)
        break
      default:
        this.#wish(device, { ...item, kind }, dice)
    }
  }

  #wish(device: SimulatedDevice, { kind, whom, seed }: Item, dice: Dice): void {
    const other = NAMES[whom]!
    const group = dice.below(1_000)
    const say = (what: string, call: (conversation: Conversation) => Promise<unknown>) => device.call(what, call, group)
    switch (kind) {
      case "create": {
        const members = this.#devices.flatMap(({ name }) => (dice.chance(60) ? [name] : []))
        const title = `title ${seed % 1_000}`
        device.ask("creates", () => device.client!.createConversation({ title, members }))
        break
      }
      case "send":
        say("sends", (it) => it.send(`message ${seed}`))
        break
      case "invite":
        say(`invites ${other}`, (it) => it.invite(other))
        break
      case "remove":
        if (other !== device.name) say(`removes ${other}`, (it) => it.remove(other))
        break
      case "refresh":
        say("renews keys", (it) => it.refresh())
        break
      case "title":
        say("sets the title", (it) => it.setTitle(`title ${seed % 1_000}`))
        break
      case "leave":
        say("leaves", (it) => it.leave())
        break
      case "accept":
        for (const it of device.handles) if (it.status === "invited") device.ask("accepts", () => it.accept())
        break
      case "decline":
        for (const it of device.handles) if (it.status === "invited") device.ask("declines", () => it.decline())
        break
      case "approve":
        device.approve()
        break
      case "sync":
        device.ask("synchronizes", () => device.client!.sync())
        break
      case "look":
        device.look({ acknowledge: dice.chance(50) })
        break
      case "continue":
        device.goOn()
        break
      case "restart":
        device.restart()
        break
    }
  }
}

/** In half of the seeds the service sees from where a device comes: some have an address or a network in common. */
function originsOf({ seed, devices, service }: Plan): readonly Origin[] {
  const dice = diceFor(seed, "origins")
  if (service === undefined || dice.chance(50)) return Array.from({ length: devices }, () => ({}))
  return Array.from({ length: devices }, () => {
    const address = dice.below(devices)
    return { peer: `peer ${address}`, network: `network ${address % 2}` }
  })
}

const lengthOf = (round: number) => Math.min(ROUND_MAX, ROUND * 2 ** (round >> 1))

/** A conversation as one device has it. */
interface Side {
  readonly device: SimulatedDevice
  readonly handle: ConversationHandle
}

/** Whether the person sees the conversation: another one may have taken its place, and it is followed on. */
const isListed = ({ device, handle }: Side) => device.handles.includes(handle)

function differenceAmong(
  [first, ...others]: readonly Side[],
  what: string,
  of: (handle: ConversationHandle) => unknown,
) {
  if (first === undefined) return undefined
  const other = others.find(({ handle }) => `${of(handle)}` !== `${of(first.handle)}`)
  return (
    other &&
    `${other.device.name} has another ${what} than ${first.device.name}: ${of(other.handle)}, not ${of(first.handle)}`
  )
}

const hasCome = (status: string | undefined) => status !== undefined && status !== "left"
