import type { Transport } from "@conclave/transport"
import type { ClientOptions } from "../../src/client.js"
import { ConversationHandle } from "../../src/device/handle.js"
import { openDevice } from "../../src/device/open.js"
import type { ClientEvent } from "../../src/events.js"
import { type Client, type MemoryProfile, memoryStore } from "../../src/index.js"
import type { Timeline } from "../timeline.js"

/** A message that the service has accepted. */
export interface Said {
  readonly by: string
  readonly text: string
  readonly seq: bigint
  readonly epoch: bigint
}

/** What a device cannot read: it lost track after one entry, and came in again by another. */
interface Gap {
  readonly after: bigint
  /** The epoch in which it is since; `undefined` while it is out. */
  epoch: bigint | undefined
}

export interface PersonOptions {
  readonly name: string
  readonly profile: MemoryProfile
  readonly timeline: Timeline
  readonly transports: () => { readonly delivery: Transport; readonly auth: Transport }
  readonly means: Pick<ClientOptions, "provider" | "sealingKey" | "random">
  readonly onEvent: (event: ClientEvent) => void
}

/** Members speak again so long after somebody has come back, who has not heard them. */
const AGAIN_MILLISECONDS = 1_000

/** A member with its device. It says something when it comes online, and again when it or somebody else has come back. */
export class Person {
  readonly name: string
  client: Client | undefined
  /** Texts of others, those that have come more than once, and in the present phase names. */
  readonly heard = new Set<string>()
  readonly heardAgain = new Set<string>()
  readonly heardFrom = new Set<string>()
  readonly gaps: Gap[] = []
  /** In the order in which they were sent; those that the service has accepted have their place. */
  readonly texts: string[] = []
  readonly acknowledged = new Set<string>()
  openedAt = 0
  readonly #options: PersonOptions
  #closing = new AbortController()
  #isGoingToSpeak = false

  constructor(options: PersonOptions) {
    this.#options = options
    this.name = options.name
  }

  get conversation(): ConversationHandle {
    const conversation = [...this.client!.conversations.values()].find(({ status }) => status !== "invited")
    if (!(conversation instanceof ConversationHandle)) throw new TypeError(`${this.name} is in no conversation`)
    return conversation
  }

  /** Switches the device on. */
  async open(): Promise<void> {
    const { name, profile, timeline, transports, means } = this.#options
    this.#closing = new AbortController()
    const { signal } = this.#closing
    this.openedAt = timeline.now
    const options = {
      ...means,
      ...transports(),
      name,
      store: memoryStore(profile),
      now: () => timeline.now,
      live: true,
    }
    this.client = await openDevice(
      { ...options, policy: { keyPackages: 1 } },
      { timers: timeline.timers(name, signal) },
    )
    void this.#watch(this.client, signal)
    this.speak()
  }

  async close(): Promise<void> {
    const { client } = this
    this.client = undefined
    await client?.close()
    this.#closing.abort()
    this.#isGoingToSpeak = false
  }

  async #watch(client: Client, signal: AbortSignal): Promise<void> {
    for await (const event of client.events({ signal })) this.#see(event)
  }

  #see(event: ClientEvent): void {
    switch (event.type) {
      case "message":
        if (this.heard.has(event.text ?? "")) this.heardAgain.add(event.text ?? "")
        this.heard.add(event.text ?? "")
        break
      case "members":
        if (event.rejoined.length > 0) this.#speakSoon()
        break
      case "stuck":
        this.gaps.push({ after: this.conversation.driver.state.position.cursor, epoch: undefined })
        break
      case "recovered":
        this.gaps.at(-1)!.epoch = this.conversation.driver.state.facts.firstEpoch
        this.#speakSoon()
        break
      default:
    }
    this.#options.onEvent(event)
  }

  #speakSoon(): void {
    if (this.#isGoingToSpeak) return
    this.#isGoingToSpeak = true
    const { timeline, name } = this.#options
    const { signal } = this.#closing
    timeline.after(AGAIN_MILLISECONDS, `${name} speaks`, () => {
      this.#isGoingToSpeak = false
      if (!signal.aborted) this.speak()
    })
  }

  speak(): void {
    const text = `${this.name} ${this.texts.length}`
    this.texts.push(text)
    this.conversation.send(text).then(
      () => this.acknowledged.add(text),
      () => {},
    )
  }

  /** Whether a message must have come here: it was sent to a device that could follow, in an epoch in which it was. */
  mustHaveHeard({ seq, epoch }: Said): boolean {
    return !this.gaps.some((gap) => seq > gap.after && (gap.epoch === undefined || epoch < gap.epoch))
  }
}
