import { Group } from "@conclave/mls"
import { intervalIn } from "../../src/conversation/epoch-interval.js"
import type { ClientEvent, MessageEvent } from "../../src/index.js"
import type { Person } from "./person.js"
import { onScene, type Scene, type SceneOptions } from "./scene.js"
import type { Template } from "./template.js"

/** Milliseconds at most from when a device shows that nobody can go on until its person has clicked. */
const CLICK_MILLISECONDS_MAX = 2_000
/** Messages of a whole history. */
const HISTORY_MAX = 100_000

export interface Restarted {
  /** Members who are online when it happens, and who come back a week later; the insider is none of them. */
  readonly online: number
  readonly back: number
  /**
   * Milliseconds from the click until all who are online have sent and received a message of each other in the new
   * conversation; `undefined` where that did not happen within an hour.
   */
  readonly sinceClick: number | undefined
  /** A week later, from when each of those who come back was online until all have done so again. */
  readonly sinceBack: readonly (number | undefined)[]
  /** The same from when the last member came online. */
  readonly sinceLast: number | undefined
  /** Messages that a member has not been told, or does not have in the history, with who it is. */
  readonly lost: readonly string[]
  /** What must not be: a message told twice, a second conversation, an event too many. */
  readonly wrong: readonly string[]
  /**
   * What the service has accepted: also what was on its way when the group was stopped, which nobody reads there, and which is
   * said again in the new one.
   */
  readonly messages: number
  readonly commits: number
}

export interface RestartOptions extends SceneOptions {
  /** Whether people accept when they are asked; by default they do. */
  readonly accepts?: boolean
}

/**
 * An insider stops the group; the honest member who was online first makes a new one, and everybody else accepts as soon as
 * they are asked. What people say meanwhile waits.
 */
export function runStopped(template: Template, options: RestartOptions): Promise<Restarted> {
  return onScene(template, options, (scene) => new Restart(scene, options.accepts ?? true).play())
}

/** What an honest member may be told. */
const expectedEvents: ReadonlySet<ClientEvent["type"]> = new Set([
  "message",
  "sent",
  "stopped",
  "invited",
  "joined",
  "members",
  "refreshed",
])

class Restart {
  readonly #scene: Scene
  readonly #accepts: boolean
  readonly #stops = new Map<Person, number>()
  /** Of each, texts whose place it was told. */
  readonly #sent = new Map<Person, readonly (string | undefined)[]>()
  readonly #wrong: string[] = []
  /** Who makes the new group, and when. */
  #author: Person | undefined
  #clickedAt: number | undefined

  constructor(scene: Scene, accepts: boolean) {
    this.#scene = scene
    this.#accepts = accepts
  }

  async play(): Promise<Restarted> {
    const scene = this.#scene
    const { away, online, people } = scene
    let [messages, commits] = [0, 0]
    scene.onEvent = (person, event) => this.#see(person, event)
    scene.onAccepted = (_, { kind }) => {
      if (kind === "commit") commits++
      if (kind === "application") messages++
    }
    await scene.begin()
    this.#author = earliest(online)
    await stop(scene)
    // Of two messages that wait, one is on its way when the device learns of it.
    for (const person of online) person.speak()
    const together = await this.#exchange(online)
    const clickedAt = this.#clickedAt
    const { coming } = await scene.week()
    const again = await this.#exchange(people, coming)
    const { lost, wrong } = await scene.end(async () => ({ lost: await this.#lost(), wrong: this.#wrongs() }))
    return {
      online: online.length,
      back: away.length,
      sinceClick: together && clickedAt && together - clickedAt,
      sinceBack: away.map(({ openedAt }) => again && again - openedAt),
      sinceLast: again && again - Math.max(...people.map(({ openedAt }) => openedAt)),
      ...{ lost, wrong, messages, commits },
    }
  }

  /** With what is said from now on, in the conversation that continues the first one. */
  #exchange(people: readonly Person[], coming?: Promise<void>): Promise<number | undefined> {
    const begun = this.#scene.timeline.now
    const counts = ({ conversation, sentAt }: MessageEvent) =>
      conversation.continues !== undefined && sentAt.getTime() >= begun
    return this.#scene.exchange(people, { coming, counts })
  }

  #see(person: Person, event: ClientEvent): void {
    const { type } = event
    if (!expectedEvents.has(type)) this.#wrong.push(`${person.name} was told ${type}`)
    if (type === "sent") this.#sent.set(person, [...(this.#sent.get(person) ?? []), event.text])
    if (type === "stopped") {
      const stops = (this.#stops.get(person) ?? 0) + 1
      this.#stops.set(person, stops)
      if (event.by !== this.#scene.insider) this.#wrong.push(`${person.name} was told that ${event.by} did it`)
      if (person === this.#author && stops === 1) void this.#click(person)
    }
    if (type === "invited") {
      const { continues } = event
      const removed = continues?.removed.join()
      if (removed !== this.#scene.insider) this.#wrong.push(`${person.name} was asked to leave out ${removed}`)
      if (this.#accepts) this.#note(person, "accept", event.conversation.accept())
    }
  }

  async #click(person: Person): Promise<void> {
    const { timeline, dice, insider } = this.#scene
    await timeline.pause(dice.below(CLICK_MILLISECONDS_MAX), `${person.name} clicks`)
    this.#clickedAt = timeline.now
    this.#note(person, "restart", person.conversation.restart({ without: [insider] }))
  }

  #note({ name }: Person, what: string, done: Promise<unknown>): void {
    done.catch((error: unknown) => this.#wrong.push(`${name} could not ${what}: ${error}`))
  }

  async #lost(): Promise<readonly string[]> {
    const { people } = this.#scene
    const lost: string[] = []
    for (const person of people) {
      const history = await person.conversation.history({ limit: HISTORY_MAX })
      for (const { name, texts } of people) {
        const kept = history.flatMap(({ from, text }) => (from === name ? [text] : []))
        for (const text of texts) {
          if (person.name !== name && !person.heard.has(text)) lost.push(`${text}: not received by ${person.name}`)
          if (!kept.includes(text)) lost.push(`${text}: not in the history of ${person.name}`)
        }
        if (kept.length > texts.length || texts.filter((text) => kept.includes(text)).join() !== kept.join()) {
          this.#wrong.push(`${person.name} has of ${name}: ${kept.join()}`)
        }
      }
    }
    return lost
  }

  #wrongs(): readonly string[] {
    const { people } = this.#scene
    const names = people.map(({ name }) => name).sort()
    const states = new Set<string>()
    for (const person of people) {
      const { name, client, texts, heardAgain, conversation } = person
      const stops = this.#stops.get(person) ?? 0
      if (stops !== 1) this.#wrong.push(`${name} was told ${stops} times that it was stopped`)
      const sent = this.#sent.get(person)?.join()
      if (sent !== texts.join()) this.#wrong.push(`${name} said ${texts.join()} and was told of ${sent}`)
      for (const text of heardAgain) this.#wrong.push(`${text}: told twice to ${name}`)
      const count = client!.conversations.size
      if (count !== 1) this.#wrong.push(`${name} has ${count} conversations`)
      const { status, members, pending, continues } = conversation
      if (pending.length > 0) this.#wrong.push(`${pending.length} messages of ${name} wait`)
      if (status !== "active" || continues?.status !== "continued") {
        this.#wrong.push(`${name}: ${continues?.status}, then ${status}`)
      }
      if (members.join() !== names.join()) this.#wrong.push(`${name} is with ${members.join()}`)
      states.add(Buffer.from(conversation.epochAuthenticator).toString("hex"))
    }
    if (states.size !== 1) this.#wrong.push(`${states.size} groups or epochs`)
    return this.#wrong
  }
}

/** The insider registers a key that does not follow from her commit: nobody else has it. */
function stop(scene: Scene): Promise<void> {
  return scene.harm(undefined, async ({ mallory, group }) => {
    const { accessKey } = intervalIn(Group.create({ ...mallory.options, groupId: scene.dice.bytes(32) }))
    await mallory.commit(group, {}, { begins: { accessKey, removes: false } })
  })
}

function earliest(people: readonly Person[]): Person {
  return people.reduce((first, person) => (person.openedAt < first.openedAt ? person : first))
}
