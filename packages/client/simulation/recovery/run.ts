import { nodeProvider } from "@conclave/crypto/node"
import { directTransport } from "@conclave/transport"
import { newcomerExtension } from "../../src/access/newcomer.js"
import { intervalOf } from "../../src/conversation/epoch-interval.js"
import { openDevice } from "../../src/device/open.js"
import { memoryStore } from "../../src/index.js"
import { closingFor } from "../../test/support/insider.js"
import { Mallory } from "../../test/support/mallory.js"
import { onVirtualPlatform, settled } from "../platform.js"
import { type Dice, diceFor } from "../random.js"
import { Timeline } from "../timeline.js"
import { line } from "./line.js"
import { Person, type Said } from "./person.js"
import { copyOf, replayed, type Services, sealingKey, type Template } from "./template.js"

const WEEK = 7 * 86_400_000
/** Everybody who comes back does so within this time, in milliseconds. */
const COMING_MILLISECONDS = 5_000
/** After that, in virtual time, a phase has failed. */
const PHASE_MILLISECONDS = 3_600_000

/** From which moment on, in milliseconds, everybody who is there has sent and received a message of each other. */
export interface Phase {
  readonly online: number
  /** Of those: who could not follow, and who followed all the time. Without a follower, nobody is let in. */
  readonly stuck: number
  readonly followers: number
  /** Since the first honest member who follows was online; `undefined` where it did not happen within an hour. */
  readonly sinceFollower: number | undefined
  /** Since the last one came online. */
  readonly sinceLast: number | undefined
}

export interface Recovered {
  /** While those are away who are away, and a week later when they are back. */
  readonly phases: readonly Phase[]
  /** Acknowledged messages that somebody has not received who could follow, with who it is. */
  readonly lost: readonly string[]
  /** How often a member has not received one that was sent while it was out: it is in no epoch of its own. */
  readonly missed: number
  readonly messages: number
  readonly commits: number
}

export interface RunOptions {
  readonly seed: number
  /** The service takes knocks and shows them to nobody: then nobody comes back. */
  readonly hidesKnocks?: boolean
}

/**
 * A third of the members is away when an insider commits what some can follow and others cannot. All of the others are online
 * then; a week later all come online.
 */
export function run(template: Template, options: RunOptions): Promise<Recovered> {
  const timeline = new Timeline(template.end)
  const leaked: string[] = []
  return onVirtualPlatform(
    timeline,
    (what) => leaked.push(what),
    async () => {
      const recovered = await new Scene(template, options, timeline).play()
      if (leaked.length > 0) throw new Error(`${leaked[0]} was asked for`)
      return recovered
    },
  )
}

class Scene {
  readonly #template: Template
  readonly #timeline: Timeline
  readonly #dice: Dice
  readonly #options: RunOptions
  readonly #people: Person[] = []
  readonly #said = new Map<string, Said>()
  #services!: Services
  #commits = 0
  /** Pairs of members who are online, of which one has to hear the other still. */
  #missing = 0
  #present = new Set<string>()

  constructor(template: Template, options: RunOptions, timeline: Timeline) {
    this.#template = template
    this.#timeline = timeline
    this.#options = options
    this.#dice = diceFor(options.seed, "scene")
  }

  async play(): Promise<Recovered> {
    const { names } = this.#template
    this.#services = await replayed(this.#template, this.#timeline)
    // The last leaf of a tree may have nobody beside it: its path is sealed for all others together.
    const insider = names[this.#dice.below(names.length - 1)]!
    const honest = shuffled(
      names.filter((name) => name !== insider),
      this.#dice,
    )
    for (const name of honest) this.#people.push(this.#person(name))
    const away = this.#people.slice(0, Math.round(honest.length / 3))
    const online = this.#people.slice(away.length)
    // They are there when it happens, and have said something.
    void this.#come(online)
    await this.#until(this.#timeline.now + 2 * COMING_MILLISECONDS)
    await this.#harm(insider)
    const phases = [await this.#phase(online)]
    await this.#until(this.#timeline.now + 600_000)
    await this.#close()
    this.#timeline.now += WEEK
    const coming = this.#come(this.#people)
    phases.push(await this.#phase(this.#people, coming))
    await this.#until(this.#timeline.now + 60_000)
    const [lost, missed] = [[...this.#lost()], this.#missed()]
    await this.#close()
    return { phases, lost, missed, messages: this.#said.size, commits: this.#commits }
  }

  #person(name: string): Person {
    const { seed, hidesKnocks = false } = this.#options
    const dice = diceFor(seed, name)
    const provider = { ...nodeProvider(), random: (length: number) => dice.bytes(length) }
    const profile = copyOf(this.#template.profiles.get(name)!)
    let accepted = 0
    const common = { name, timeline: this.#timeline, dice: diceFor(seed, `line of ${name}`), hidesKnocks }
    const person: Person = new Person({
      ...{ name, profile, timeline: this.#timeline },
      means: { provider, sealingKey, random: provider.random },
      transports: () => ({
        auth: line({ ...common, handler: this.#services.auth }),
        delivery: line({
          ...common,
          handler: this.#services.delivery,
          onAccepted: ({ kind, epoch }, { seq }) => {
            if (kind === "commit") this.#commits++
            if (kind !== "application") return
            // A device sends one message after the other, in the order in which they were said.
            const text = person.texts[accepted++]!
            this.#said.set(text, { by: name, text, seq, epoch })
          },
        }),
      }),
      onHeard: (heard, from) => this.#hear(heard, from),
    })
    return person
  }

  /** Switches the devices on, one after the other. */
  #come(people: readonly Person[]): Promise<void> {
    return Promise.all(
      people.map(async (person) => {
        await this.#timeline.pause(this.#dice.below(COMING_MILLISECONDS), `${person.name} comes`)
        await person.open()
      }),
    ).then(() => {})
  }

  /** The insider commits with a path that opens for some of the members, and not for others. */
  async #harm(insider: string): Promise<void> {
    const around = {
      now: this.#timeline.now,
      transport: (service: "delivery" | "auth") => directTransport(this.#services[service]),
    }
    const provider = nodeProvider()
    const store = memoryStore(copyOf(this.#template.profiles.get(insider)!))
    const transports = { delivery: around.transport("delivery"), auth: around.transport("auth") }
    const means = { name: insider, store, provider, sealingKey, now: () => this.#timeline.now, live: false }
    const timers = this.#timeline.timers(insider, new AbortController().signal)
    const client = await openDevice({ ...means, ...transports }, { timers })
    await client.sync()
    const sealed = new Set<string>()
    let closed: ReadonlySet<string> = new Set()
    const choosing = { has: (key: string) => sealed.add(key) && closed.has(key) }
    const { mallory, group } = await Mallory.inside(around, client, closingFor(choosing))
    const { suite } = group
    const welcomeExtensions: NonNullable<Parameters<typeof group.commit>[0]>["welcomeExtensions"] = (next) => [
      newcomerExtension(intervalOf(suite, group.id, next), undefined),
    ]
    // For whom a path is sealed is known when one has been made.
    group.commit({ welcomeExtensions })
    group.discardPending()
    const keys = [...sealed]
    while (closed.size === 0 || closed.size === keys.length) {
      closed = new Set(keys.filter(() => this.#dice.chance(50)))
    }
    await mallory.commit(group, {})
    void client.close()
  }

  async #close(): Promise<void> {
    for (const person of this.#people) void person.close()
    // What is under way comes to its end.
    await this.#until(this.#timeline.now + 60_000)
  }

  /** Until each of them has heard each other. They come online meanwhile, or are there. */
  async #phase(people: readonly Person[], coming?: Promise<void>): Promise<Phase> {
    const begun = this.#timeline.now
    const before = new Map(people.map((person) => [person, person.gaps.filter(isOver).length]))
    this.#present = new Set(people.map(({ name }) => name))
    for (const person of people) person.heardFrom.clear()
    this.#missing = people.length * (people.length - 1)
    if (coming === undefined) for (const person of people) person.speak()
    const isInVain = () => this.#timeline.now > begun + 60_000 && !people.some(({ gaps }) => gaps.every(isOver))
    while (this.#missing > 0 && !isInVain() && (await this.#step(begun + PHASE_MILLISECONDS))) {
      // Something has happened.
    }
    await coming
    const at = this.#missing > 0 ? undefined : this.#timeline.now
    const followers = people.filter((person) => person.gaps.length === before.get(person))
    const stuck = people.length - followers.length
    const first = Math.max(begun, Math.min(...followers.map(({ openedAt }) => openedAt)))
    const last = Math.max(begun, ...people.map(({ openedAt }) => openedAt))
    const since = (from: number) => at && at - from
    return {
      online: people.length,
      stuck,
      followers: followers.length,
      sinceFollower: since(first),
      sinceLast: since(last),
    }
  }

  #hear(person: Person, from: string): void {
    if (!this.#present.has(from) || person.heardFrom.has(from)) return
    person.heardFrom.add(from)
    this.#missing--
  }

  async #until(at: number): Promise<void> {
    while (await this.#step(at)) {
      // Something has happened.
    }
    this.#timeline.now = at
  }

  async #step(until: number): Promise<boolean> {
    if (this.#timeline.next(until) === undefined) return false
    await settled()
    return true
  }

  #missed(): number {
    const said = [...this.#said.values()]
    const isMissed = (person: Person) => (it: Said) =>
      it.by !== person.name && !person.heard.has(it.text) && !person.mustHaveHeard(it)
    return this.#people.reduce((sum, person) => sum + said.filter(isMissed(person)).length, 0)
  }

  *#lost(): Generator<string> {
    for (const person of this.#people) {
      for (const text of person.acknowledged) {
        if (!this.#said.has(text)) yield `${text}: not in the log`
      }
      for (const said of this.#said.values()) {
        if (said.by === person.name || !person.mustHaveHeard(said) || person.heard.has(said.text)) continue
        yield `${said.text}: not received by ${person.name}`
      }
    }
  }
}

/** Of a gap: the device is in again. */
const isOver = ({ epoch }: Person["gaps"][number]) => epoch !== undefined

function shuffled<T>(list: readonly T[], dice: Dice): T[] {
  const left = [...list]
  return list.map(() => left.splice(dice.below(left.length), 1)[0]!)
}
