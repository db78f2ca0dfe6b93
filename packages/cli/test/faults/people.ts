import assert from "node:assert/strict"
import { setTimeout as delay } from "node:timers/promises"
import { type Client, type Conversation, openClient } from "@conclave/client/node"
import { Folder } from "../support.js"
import type { Gateway } from "./gateway.js"

/** Clients of the SDK in one conversation, each at a gateway of its own. */
export class People implements AsyncDisposable {
  readonly #folder = new Folder()
  readonly #clients: Client[] = []
  readonly #conversations: Conversation[] = []
  readonly #sending: Promise<unknown>[] = []
  readonly sent: string[] = []

  static async gather(count: number, gateways: readonly Gateway[]): Promise<People> {
    const people = new People()
    try {
      await people.#gather(count, gateways)
      return people
    } catch (error) {
      await people[Symbol.asyncDispose]()
      throw error
    }
  }

  async #gather(count: number, gateways: readonly Gateway[]): Promise<void> {
    const names = Array.from({ length: count }, (_, index) => `person-${index}`)
    for (const [index, name] of names.entries()) {
      const service = gateways[index % gateways.length]!.address
      const sealingKey = new Uint8Array(32).fill(1)
      this.#clients.push(await openClient({ name, service, profile: this.#folder.file(name), sealingKey }))
    }
    const first = await this.#clients[0]!.createConversation({ title: "faults", members: names.slice(1) })
    const others = this.#clients.slice(1)
    await until("the invitations", () => others.every(({ conversations }) => conversations.size === 1), 30_000)
    this.#conversations.push(first, ...others.flatMap(({ conversations }) => [...conversations.values()]))
  }

  /** Each sends what it has to say, and does not wait for what is on its way. */
  async talk(random: () => number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const sender = Math.floor(random() * this.#conversations.length)
      const text = `${this.sent.length} from ${sender}`
      this.sent.push(text)
      this.#sending.push(this.#conversations[sender]!.send(text))
      await delay(300 + random() * 1_500, undefined, { signal }).catch(() => {})
    }
  }

  /** Waits until all have everything, and fails where one has another history, or not each message once. */
  async agree(): Promise<void> {
    const hasSent = Promise.all(this.#sending).then(() => true)
    assert.ok(await Promise.race([hasSent, delay(60_000, false)]), "some messages cannot be sent")
    const histories = () =>
      Promise.all(
        this.#conversations.map(async (conversation) =>
          (await conversation.history({ limit: 100_000 })).flatMap(({ text }) => (text === undefined ? [] : [text])),
        ),
      )
    const counts = async () => (await histories()).map(({ length }) => length)
    await until(
      "all messages at all clients",
      async () => (await counts()).every((count) => count >= this.sent.length),
      60_000,
    ).catch(async () => assert.fail(`of ${this.sent.length} messages there are ${await counts()}`))
    const [first, ...others] = await histories()
    assert.deepEqual(first!.toSorted(), this.sent.toSorted())
    for (const other of others) assert.deepEqual(other, first)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]()
    this.#folder[Symbol.dispose]()
  }
}

export async function until(what: string, is: () => boolean | Promise<boolean>, milliseconds: number): Promise<void> {
  const begin = performance.now()
  while (!(await is())) {
    assert.ok(performance.now() - begin < milliseconds, `waited in vain: ${what}`)
    await delay(200)
  }
}
