import { nodeProvider } from "@conclave/crypto/node"
import { directTransport } from "@conclave/transport"
import { openDevice } from "../../src/device/open.js"
import { type ClientEvent, type MessageEvent, memoryStore } from "../../src/index.js"
import { Mallory } from "../../test/support/mallory.js"
import { onVirtualPlatform, settled } from "../platform.js"
import { type Dice, diceFor } from "../random.js"
import { Timeline } from "../timeline.js"
import { type LineOptions, line } from "./line.js"
import { Person } from "./person.js"
import { copyOf, replayed, type Services, sealingKey, type Template } from "./template.js"

const WEEK = 7 * 86_400_000
/** Everybody who comes back does so within this time, in milliseconds. */
const COMING_MILLISECONDS = 5_000
/** After that, in virtual time, a phase has failed. */
const PHASE_MILLISECONDS = 3_600_000

export interface SceneOptions {
  readonly seed: number
  /** The service takes knocks and shows them to nobody: then nobody comes back. */
  readonly hidesKnocks?: boolean
}

type Inside = Awaited<ReturnType<typeof Mallory.inside>>
type Accepted = Parameters<NonNullable<LineOptions["onAccepted"]>>

/** Lets `play` happen on virtual time. */
export function onScene<T>(template: Template, options: SceneOptions, play: (scene: Scene) => Promise<T>): Promise<T> {
  const timeline = new Timeline(template.end)
  const leaked: string[] = []
  return onVirtualPlatform(
    timeline,
    (what) => leaked.push(what),
    async () => {
      const played = await play(new Scene(template, options, timeline))
      if (leaked.length > 0) throw new Error(`${leaked[0]} was asked for`)
      return played
    },
  )
}

/** A third of the members is away when an insider does harm. All of the others are online then; a week later all come online. */
export class Scene {
  readonly timeline: Timeline
  readonly dice: Dice
  readonly insider: string
  /** The honest members: first those who are away. */
  readonly people: readonly Person[]
  readonly away: readonly Person[]
  readonly online: readonly Person[]
  /** The service has taken something of a person's. */
  onAccepted: (person: Person, ...accepted: Accepted) => void = () => {}
  onEvent: (person: Person, event: ClientEvent) => void = () => {}
  readonly #template: Template
  readonly #options: SceneOptions
  #services!: Services
  /** Pairs of members who are online, of which one has to hear the other still. */
  #missing = 0
  #present = new Set<string>()
  #counts: (message: MessageEvent) => boolean = () => true

  constructor(template: Template, options: SceneOptions, timeline: Timeline) {
    this.#template = template
    this.#options = options
    this.timeline = timeline
    this.dice = diceFor(options.seed, "scene")
    const { names } = template
    // The last leaf of a tree may have nobody beside it: its path is sealed for all others together.
    this.insider = names[this.dice.below(names.length - 1)]!
    const honest = shuffled(
      names.filter((name) => name !== this.insider),
      this.dice,
    )
    this.people = honest.map((name) => this.#person(name))
    this.away = this.people.slice(0, Math.round(honest.length / 3))
    this.online = this.people.slice(this.away.length)
  }

  #person(name: string): Person {
    const { seed, hidesKnocks = false } = this.#options
    const dice = diceFor(seed, name)
    const provider = { ...nodeProvider(), random: (length: number) => dice.bytes(length) }
    const profile = copyOf(this.#template.profiles.get(name)!)
    const common = { name, timeline: this.timeline, dice: diceFor(seed, `line of ${name}`), hidesKnocks }
    const person: Person = new Person({
      ...{ name, profile, timeline: this.timeline },
      means: { provider, sealingKey, random: provider.random },
      transports: () => ({
        auth: line({ ...common, handler: this.#services.auth }),
        delivery: line({
          ...common,
          handler: this.#services.delivery,
          onAccepted: (...accepted) => this.onAccepted(person, ...accepted),
        }),
      }),
      onEvent: (event) => {
        if (event.type === "message") this.#hear(person, event)
        this.onEvent(person, event)
      },
    })
    return person
  }

  /** Those who are not away are there when it happens, and have said something. */
  async begin(): Promise<void> {
    this.#services = await replayed(this.#template, this.timeline)
    void this.#come(this.online)
    await this.#until(this.timeline.now + 2 * COMING_MILLISECONDS)
  }

  /** What the insider does, who keeps to no rule: with the group as her device has it, in a suite of her own. */
  async harm(change: Parameters<typeof Mallory.inside>[2], act: (inside: Inside) => Promise<void>): Promise<void> {
    const around = {
      now: this.timeline.now,
      transport: (service: "delivery" | "auth") => directTransport(this.#services[service]),
    }
    const store = memoryStore(copyOf(this.#template.profiles.get(this.insider)!))
    const transports = { delivery: around.transport("delivery"), auth: around.transport("auth") }
    const provider = nodeProvider()
    const means = { name: this.insider, store, provider, sealingKey, now: () => this.timeline.now, live: false }
    const timers = this.timeline.timers(this.insider, new AbortController().signal)
    const client = await openDevice({ ...means, ...transports }, { timers })
    await client.sync()
    await act(await Mallory.inside(around, client, change))
    void client.close()
  }

  /** All close their devices, and a week passes. Resolves when they are about to come back; they come meanwhile. */
  async week(): Promise<{ readonly coming: Promise<void> }> {
    await this.#until(this.timeline.now + 600_000)
    await this.#close()
    this.timeline.now += WEEK
    return { coming: this.#come(this.people) }
  }

  /** What is under way comes to its end; `look` at it before all devices are closed. */
  async end<T>(look: () => T | Promise<T>): Promise<T> {
    await this.#until(this.timeline.now + 60_000)
    const seen = await look()
    await this.#close()
    return seen
  }

  /**
   * Until each of them has heard each other; when that was, or `undefined` where it did not happen. They come online
   * meanwhile, or are there.
   */
  async exchange(
    people: readonly Person[],
    { coming, isInVain = () => false, counts = () => true }: Exchange,
  ): Promise<number | undefined> {
    const begun = this.timeline.now
    this.#counts = counts
    this.#present = new Set(people.map(({ name }) => name))
    for (const person of people) person.heardFrom.clear()
    this.#missing = people.length * (people.length - 1)
    if (coming === undefined) for (const person of people) person.speak()
    while (this.#missing > 0 && !isInVain() && (await this.#step(begun + PHASE_MILLISECONDS))) {
      // Something has happened.
    }
    await coming
    return this.#missing > 0 ? undefined : this.timeline.now
  }

  #hear(person: Person, message: MessageEvent): void {
    const { from } = message
    if (!this.#present.has(from) || person.heardFrom.has(from) || !this.#counts(message)) return
    person.heardFrom.add(from)
    this.#missing--
  }

  /** Switches the devices on, one after the other. */
  #come(people: readonly Person[]): Promise<void> {
    return Promise.all(
      people.map(async (person) => {
        await this.timeline.pause(this.dice.below(COMING_MILLISECONDS), `${person.name} comes`)
        await person.open()
      }),
    ).then(() => {})
  }

  async #close(): Promise<void> {
    for (const person of this.people) void person.close()
    // What is under way comes to its end.
    await this.#until(this.timeline.now + 60_000)
  }

  async #until(at: number): Promise<void> {
    while (await this.#step(at)) {
      // Something has happened.
    }
    this.timeline.now = at
  }

  async #step(until: number): Promise<boolean> {
    if (this.timeline.next(until) === undefined) return false
    await settled()
    return true
  }
}

interface Exchange {
  readonly coming: Promise<void> | undefined
  readonly isInVain?: () => boolean
  /** Which messages are enough; by default all. */
  readonly counts?: (message: MessageEvent) => boolean
}

function shuffled<T>(list: readonly T[], dice: Dice): T[] {
  const left = [...list]
  return list.map(() => left.splice(dice.below(left.length), 1)[0]!)
}
