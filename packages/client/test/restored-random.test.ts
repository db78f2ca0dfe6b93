import { deepEqual, equal } from "node:assert/strict"
import { test } from "node:test"
import { Dice } from "../simulation/random.js"
import { hex } from "../src/bytes.js"
import { type Client, type ClientEvent, MemoryProfile, memoryStore } from "../src/index.js"
import { Backup, only } from "./support/backup.js"
import { Power, storeOn } from "./support/faults.js"
import { taken } from "./support/world.js"

/**
 * Conversations through restored backups, as an operator in distress would restore them: the same one twice, an older and then a
 * newer one, one that knows a commit which nobody has read. Meanwhile the service lies, devices crash and are away. Then
 * everything is honest for days.
 */
/** In the last of these nobody can follow in the end, and a person restarts the conversation. */
const KNOWN = [1, 50, 93]
const FIRST = Number(process.env.CONCLAVE_SEED ?? 1)
const SEEDS =
  process.env.CONCLAVE_SEEDS === undefined
    ? KNOWN
    : Array.from({ length: Number(process.env.CONCLAVE_SEEDS) }, (_, at) => FIRST + at)
const STEPS = 60
const FORKS_MAX = 4
const NAMES = ["alice", "bob", "carol", "dave"]

type Told = Extract<ClientEvent, { type: "message" | "sent" }>

class Life implements AsyncDisposable {
  readonly dice: Dice
  readonly names: readonly string[]
  readonly backup = new Backup({ inMemory: true })
  readonly story: string[] = []
  readonly #profiles = new Map<string, MemoryProfile>()
  readonly #clients = new Map<string, Client>()
  readonly #told = new Map<string, ClientEvent[]>()
  readonly #online: Set<string>
  readonly #forks: ReturnType<Backup["world"]["fork"]>[] = []
  #isLying = false
  #said = 0

  constructor(seed: number) {
    this.dice = new Dice(seed)
    this.names = NAMES.slice(0, 3 + this.dice.below(2))
    this.#online = new Set(this.names)
    this.backup.lie = (_, answer) => {
      const { dice } = this
      if (!this.#isLying || answer.type !== "entries") return answer
      const { groupId } = answer
      if (dice.chance(15)) return { ...answer, entries: answer.entries.slice(0, dice.below(answer.entries.length + 1)) }
      if (dice.chance(8)) return { ...answer, headSeq: BigInt(dice.below(200)) }
      if (dice.chance(5)) return { type: "denied", groupId, reason: "no" }
      if (dice.chance(5)) return { type: "belowRetention", groupId, oldestSeq: BigInt(dice.below(100)) }
      return dice.chance(5) ? { type: "notFound", groupId } : answer
    }
  }

  client(name: string): Client {
    return this.#clients.get(name)!
  }

  get conversations() {
    return this.names.map((name) => only(this.client(name)))
  }

  async begin(): Promise<void> {
    for (const name of this.names) {
      this.#profiles.set(name, new MemoryProfile())
      this.#told.set(name, [])
      this.#clients.set(name, await this.#open(name))
    }
    await this.client("alice").createConversation({ title: "team", members: this.names.slice(1) })
    await this.look(5, 1_000)
  }

  /** What somebody, the operator or time does. */
  async happen(): Promise<void> {
    const { dice, backup } = this
    const what = dice.below(100)
    const name = dice.pick(this.names)
    if (what < 30) await this.#say(name, 1 + dice.below(dice.chance(10) ? 120 : 6))
    else if (what < 45) await this.#renew(name)
    else if (what < 55) {
      if (this.#forks.length < FORKS_MAX) this.#forks.push(backup.world.fork())
      this.story.push("a backup is made")
    } else if (what < 63 && this.#forks.length > 0) {
      const number = dice.below(this.#forks.length)
      backup.show(await backup.world.restore(this.#forks[number]!, 1 + dice.below(2)))
      this.story.push(`backup ${number} is restored`)
    } else if (what < 70) {
      if (!this.#online.delete(name)) this.#online.add(name)
      this.story.push(`${name} ${this.#online.has(name) ? "comes" : "goes"}`)
    } else if (what < 75) {
      this.#isLying = !this.#isLying
      this.story.push(this.#isLying ? "the service begins to lie" : "the service is honest")
    } else if (what < 85) await this.#crash(name, dice.below(40))
    else {
      const milliseconds = dice.pick([1_000, 30_000, 300_000, 700_000])
      this.story.push(`${milliseconds / 1_000} s go by`)
      await this.look(1, milliseconds, this.#online)
    }
    await this.#listen()
  }

  async #say(name: string, count: number): Promise<void> {
    const conversation = only(this.client(name))
    this.story.push(`${name} says ${count} messages`)
    for (let n = 0; n < count; n++) conversation.send(`${++this.#said} by ${name}`).catch(() => {})
    await this.#syncIfOnline(name)
  }

  async #renew(name: string): Promise<void> {
    this.story.push(`${name} renews`)
    only(this.client(name))
      .refresh()
      .catch(() => {})
    await this.#syncIfOnline(name)
  }

  async #syncIfOnline(name: string): Promise<void> {
    if (this.#online.has(name))
      await this.client(name)
        .sync()
        .catch(() => {})
  }

  /** At one of the next transactions: nothing has any effect after it. */
  async #crash(name: string, at: number): Promise<void> {
    this.story.push(`${name} crashes at ${at}`)
    await this.client(name).close()
    const crashing = await this.#open(name, new Power(at)).catch(() => undefined)
    await crashing?.sync().catch(() => {})
    await Promise.race([crashing?.close().catch(() => {}), new Promise((resolve) => setTimeout(resolve, 100))])
    this.#clients.set(name, await this.#open(name))
  }

  #open(name: string, power?: Power): Promise<Client> {
    const store = memoryStore(this.#profiles.get(name)!)
    return this.backup.open(name, { store: power === undefined ? store : storeOn(power, store) })
  }

  be(service: "honest" | "lying"): void {
    this.#isLying = service === "lying"
  }

  async look(times: number, milliseconds: number, who: Iterable<string> = this.names): Promise<void> {
    for (let n = 0; n < times; n++) {
      this.backup.world.now += milliseconds
      for (const name of who)
        await this.client(name)
          .sync()
          .catch(() => {})
    }
    await this.#listen()
  }

  async #listen(): Promise<void> {
    for (const name of this.names) this.#told.get(name)!.push(...(await taken(this.client(name))))
  }

  /** What a member was told; an event that comes again after a crash has the same place. */
  told(name: string): readonly Told[] {
    const places = new Set<string>()
    return this.#told.get(name)!.filter((event): event is Told => {
      if (event.type !== "message" && event.type !== "sent") return false
      const place = `${event.conversation} ${event.seq}`
      return !places.has(place) && places.add(place) !== undefined
    })
  }

  /** What people do with a conversation that does not come back by itself. */
  async goOn(): Promise<void> {
    const [inside] = this.names.filter((name) => only(this.client(name)).status === "active")
    const outside = this.names.filter((name) => only(this.client(name)).status !== "active")
    this.story.push(`${inside ?? "nobody"} is there, and ${outside.join(", ")} cannot follow`)
    if (inside === undefined) await only(this.client(outside[0]!)).restart()
    else
      only(this.client(inside))
        .reinvite(...outside)
        .catch(() => {})
    await this.look(10, 20_000)
    for (const name of outside) {
      for (const conversation of [...this.client(name).conversations.values()]) {
        if (conversation.status === "invited") await conversation.accept()
      }
    }
    await this.look(20, 60_000)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.backup[Symbol.asyncDispose]()
  }
}

for (const seed of SEEDS) {
  test(`after backups of every kind all members talk again, and nobody is told anything twice (seed ${seed})`, async (t) => {
    await using life = new Life(seed)
    try {
      await life.begin()
      for (let step = 0; step < STEPS; step++) await life.happen()
      life.be("honest")
      await life.look(60, 20_000)
      await life.look(150, 1_200_000)
      if (life.conversations.some(({ status }) => status !== "active")) await life.goOn()
      deepEqual(new Set(life.conversations.map(({ status }) => status)), new Set(["active"]), "all are members again")
      equal(new Set(life.conversations.map((it) => hex(it.epochAuthenticator!))).size, 1, "all are in one epoch")
      await only(life.client("alice")).send("the end")
      await life.look(3, 1_000)
      for (const name of life.names) {
        const told = life.told(name)
        const ids = told.map(({ messageId }) => messageId)
        deepEqual(
          ids.filter((id, at) => ids.indexOf(id) !== at),
          [],
          `${name} is told nothing twice`,
        )
        equal(told.at(-1)?.text, "the end", `${name} reads what is said then`)
        const history = await only(life.client(name)).history({ limit: 100_000 })
        equal(
          new Set(history.map(({ messageId }) => messageId)).size,
          history.length,
          `${name}'s history has nothing twice`,
        )
      }
    } catch (error) {
      t.diagnostic(life.story.join(" | "))
      throw error
    }
  })
}
