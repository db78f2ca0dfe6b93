import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Transport, TransportError } from "@conclave/transport"
import type { Client, Conversation, Message } from "../src/index.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { Power, storeOn } from "./support/faults.js"
import { longSeeds } from "./support/long.js"
import { consume, World } from "./support/world.js"

const SEEDS = longSeeds ?? 4
const TURNS = 60

/**
 * Four people who send, invite, remove, refresh, leave and restart as dice decide, over lines that lose requests and
 * answers, on devices that lose power. When the lines are good again everybody agrees.
 */
describe("however wishes, losses and crashes fall together", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    it(`all honest clients converge (seed ${seed})`, async () => {
      await using world = new World({ inMemory: true })
      const dice = new Dice(seed)
      const people = ["alice", "bob", "carol", "dave"].map((name) => new Person(world, name, dice))
      for (const person of people) await person.start()
      await people[0]!.client!.createConversation({ title: "team", members: ["bob"] })
      for (const person of people) person.loss = 0.1
      for (let turn = 0; turn < TURNS; turn++) await people[dice.below(people.length)]!.act(people)
      for (const person of people) {
        person.loss = 0
        await person.start()
      }
      for (let round = 0; round < 8; round++) {
        world.now += 10_000
        for (const { client, conversation } of people) {
          await client!.sync()
          // By somebody whom one has not met.
          if (conversation?.status === "invited") await conversation.accept()
        }
      }
      for (const person of people) await person.look()
      await requireAgreement(people)
      await requireTitle(people)
      for (const { client } of people) await client!.close()
      assert.deepEqual(world.faults, [])
    })
  }
})

async function requireAgreement(people: readonly Person[]): Promise<void> {
  const conversations = people.flatMap(({ conversation }) => conversation ?? [])
  for (const { status, pending } of conversations) {
    assert.ok(["active", "left"].includes(status), status)
    assert.deepEqual(pending, [])
  }
  const active = conversations.filter(({ status }) => status === "active")
  for (const conversation of active) {
    assert.equal(conversation.epoch, active[0]!.epoch)
    assert.deepEqual(conversation.epochAuthenticator, active[0]!.epochAuthenticator)
    assert.deepEqual(conversation.members, active[0]!.members)
  }
  // The members are those whose clients say so.
  const present = people.filter(({ conversation }) => conversation?.status === "active").map(({ name }) => name)
  assert.deepEqual(active[0]?.members ?? [], present)

  const placed = new Map<number, string>()
  for (const conversation of conversations) {
    const history = await conversation.history({ limit: 10_000 })
    assert.equal(new Set(history.map(({ messageId }) => messageId)).size, history.length, "nothing is there twice")
    for (const message of history) {
      const content = contentOf(message)
      assert.equal(placed.get(message.seq) ?? content, content, "one place, one message")
      placed.set(message.seq, content)
    }
  }
  for (const person of people) {
    person.requireEvents()
    // Whoever was there all the time has everything.
    if (!person.wasAlwaysThere) continue
    const history = await person.conversation!.history({ limit: 10_000 })
    assert.deepEqual(history.map(contentOf).sort(), [...placed.values()].sort())
  }
}

/** Whoever invited somebody may have been removed before it could tell the title: then the others do. */
async function requireTitle(people: readonly Person[]): Promise<void> {
  const active = people.filter(({ conversation }) => conversation?.status === "active")
  const titled = active.find(({ conversation }) => conversation?.title !== "")
  if (titled === undefined) return
  await titled.conversation!.refresh()
  for (let round = 0; round < 2; round++) for (const { client } of active) await client!.sync()
  for (const { conversation } of active) assert.equal(conversation!.title, "team")
}

const contentOf = ({ messageId, from, text }: Message) => `${messageId} ${from} ${text}`

class Person {
  readonly name: string
  /** The share of requests that are lost, and of answers. */
  loss = 0
  client: Client | undefined
  readonly #world: World
  readonly #dice: Dice
  readonly #profile = new MemoryProfile()
  readonly #events = new Map<number, string>()
  #power = new Power(Number.POSITIVE_INFINITY)

  constructor(world: World, name: string, dice: Dice) {
    this.#world = world
    this.name = name
    this.#dice = dice
  }

  get conversation(): Conversation | undefined {
    return [...(this.client?.conversations.values() ?? [])][0]
  }

  get wasAlwaysThere(): boolean {
    return this.name === "alice" && ![...this.#events.values()].includes("left")
  }

  /** Opens the profile, after closing it. */
  async start(): Promise<void> {
    for (;;) {
      await this.client?.close().catch(() => {})
      this.client = undefined
      const wanted = this.loss > 0 && this.#dice.below(3) === 0 ? this.#dice.below(12) : Number.POSITIVE_INFINITY
      this.#power = new Power(wanted)
      try {
        this.client = await this.#world.open(this.name, {
          store: storeOn(this.#power, memoryStore(this.#profile)),
          delivery: this.#lossy(this.#world.transport("delivery")),
          auth: this.#lossy(this.#world.transport("auth")),
          policy: { keyPackages: 3 },
          // Half of them also follow the stream, whose entries come in the middle of anything.
          live: this.name === "bob" || this.name === "dave",
        })
        return
      } catch (error) {
        if (!this.#power.off && this.loss === 0) throw error
      }
    }
  }

  /** Does one thing, and does not wait for it. */
  async act(people: readonly Person[]): Promise<void> {
    if (this.#power.off || this.#dice.below(10) === 0) await this.start()
    const { conversation } = this
    const other = people[this.#dice.below(people.length)]!.name
    const wishes: readonly (() => Promise<unknown> | undefined)[] = [
      () => conversation?.send(`message ${this.#dice.below(1_000_000)}`),
      () => conversation?.send(`message ${this.#dice.below(1_000_000)}`),
      () => conversation?.invite(other),
      () => (other === this.name ? conversation?.refresh() : conversation?.remove(other)),
      () => conversation?.refresh(),
      () => (this.#dice.below(4) === 0 ? conversation?.leave() : undefined),
      () => this.look(),
    ]
    wishes[this.#dice.below(wishes.length)]!()?.catch(() => {})
    await this.client?.sync().catch(() => {})
  }

  /** Sees the events that wait. */
  async look(): Promise<void> {
    await consume(this.client!, ({ number, type, ...event }) => {
      const what = "reason" in event ? `${type}: ${event.reason}` : type
      assert.equal(this.#events.get(number) ?? what, what)
      this.#events.set(number, what)
    })
  }

  requireEvents(): void {
    const numbers = [...this.#events.keys()].sort((a, b) => a - b)
    assert.deepEqual(
      numbers,
      numbers.map((_, at) => at + 1),
    )
    // With an honest service nobody is lost, nothing is refused, and nobody has to rejoin.
    for (const what of this.#events.values()) assert.doesNotMatch(what, /^(lost|recovered|rejected|halted|keyChanged)/)
  }

  #lossy(transport: Transport): Transport {
    const lose = () => {
      if (this.#power.off || this.#dice.below(100) < this.loss * 100) {
        throw new TransportError("lost on the way", { retryable: true })
      }
    }
    return {
      async request(body, options) {
        lose()
        const answer = await transport.request(body, options)
        lose()
        return answer
      },
      subscribe: (body, options) => transport.subscribe(body, options),
      [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
    }
  }
}

/** The same numbers for the same seed (mulberry32). */
class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}
