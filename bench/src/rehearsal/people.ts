import { join } from "node:path"
import { type Client, type ClientEvent, type Conversation, openClient } from "@conclave/client/node"

/** One message as its author has seen it (milliseconds of the rehearsal). */
export interface Said {
  readonly text: string
  readonly at: number
  acknowledgedAt: number | undefined
}

/** Where a machine cannot keep up, it is not asked for more; more of them wait while there is no service. */
const WAITING_MAX = 20

/** A client with a profile on the disk, over HTTP and WebSocket, and what it has seen. */
export class Person implements AsyncDisposable {
  readonly name: string
  readonly client: Client
  readonly events: { readonly type: string; readonly at: number }[] = []
  readonly said: Said[] = []
  readonly #stop = new AbortController()
  readonly #now: () => number
  received = 0
  acknowledged = 0
  /** Sends that failed for good. */
  failed = 0

  constructor(client: Client, name: string, now: () => number) {
    this.client = client
    this.name = name
    this.#now = now
    void this.#listen()
  }

  static async open(name: string, { folder, service, now }: Scene): Promise<Person> {
    const profile = join(folder, `${name}.profile`)
    const sealingKey = new Uint8Array(32).fill(1)
    const policy = { invitations: "accept" } as const
    return new Person(await openClient({ name, service, profile, sealingKey, policy }), name, now)
  }

  /** The conversation that this person is in. */
  get conversation(): Conversation {
    return [...this.client.conversations.values()][0]!
  }

  /** Sends that the service has not acknowledged. */
  get waiting(): number {
    return this.said.length - this.acknowledged - this.failed
  }

  /** Does not wait for the answer. Somebody for whom very much waits says nothing more. */
  say(): void {
    if (this.waiting >= (this.client.online ? WAITING_MAX : 2 * WAITING_MAX)) return
    const said: Said = { text: `${this.name} ${this.said.length}`, at: this.#now(), acknowledgedAt: undefined }
    this.said.push(said)
    this.conversation.send(said.text).then(
      () => {
        said.acknowledgedAt = this.#now()
        this.acknowledged++
      },
      () => {
        this.failed++
      },
    )
  }

  async texts(): Promise<ReadonlySet<string>> {
    const messages = await this.conversation.history({ limit: 100_000 })
    return new Set(messages.flatMap(({ text }) => text ?? []))
  }

  async #listen(): Promise<void> {
    for await (const event of this.client.events({ signal: this.#stop.signal })) {
      if (event.type === "message") this.received++
      // One's own message is in its place: that is counted as its acknowledgement.
      else if (event.type !== "sent") this.events.push({ type: kindOf(event), at: this.#now() })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.client.close()
  }
}

const kindOf = (event: ClientEvent) => (event.type === "service" ? `service ${event.change}` : event.type)

export interface Scene {
  /** Of the profiles. */
  readonly folder: string
  /** The address. */
  readonly service: string
  /** Milliseconds of the rehearsal. */
  readonly now: () => number
}

/** Two who talk, and one who was invited, is away until the end, and reads then what the service has. */
export interface Team {
  readonly talkers: readonly [Person, Person]
  readonly away: string
}

export async function gather(number: number, scene: Scene): Promise<Team> {
  const [one, two, away] = [`one${number}`, `two${number}`, `away${number}`]
  const second = await Person.open(two, scene)
  const third = await Person.open(away, scene)
  const first = await Person.open(one, scene)
  await first.client.createConversation({ title: `team ${number}`, members: [two, away] })
  await until(() => second.client.conversations.size === 1 && third.client.conversations.size === 1)
  await third.client.sync()
  await third[Symbol.asyncDispose]()
  return { talkers: [first, second], away }
}

export async function until(holds: () => boolean, milliseconds = 60_000): Promise<void> {
  for (const end = performance.now() + milliseconds; !holds(); ) {
    if (performance.now() > end) throw new Error("it never came to that")
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
