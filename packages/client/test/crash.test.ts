import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { deliveryRequests } from "@conclave/contracts/delivery"
import { openDevice } from "../src/device/open.js"
import { Client, type ClientEvent, type Conversation, MemoryProfile, memoryStore } from "../src/index.js"
import { Power, storeOn, transportOn } from "./support/faults.js"
import { isWhole, longSeeds } from "./support/long.js"
import { consume, World } from "./support/world.js"

/**
 * Alice makes a conversation, invites bob, says something, and removes him; bob reads. The power of one of them fails at
 * one point after the other (`npm run test:whole`; `npm test` leaves some out). Whatever was under way, after opening the profile again everything ends as it would have.
 */
describe("a crash", () => {
  let world: World
  before(() => {
    world = new World({ inMemory: true })
  })
  after(() => world[Symbol.asyncDispose]())

  for (const who of ["alice", "bob"] as const) {
    it(`of ${who} at any point changes nothing in the end`, async (context) => {
      const points = await run(world, { who, crashes: [] })
      assert.ok(points > 30, `only ${points} points`)
      for (let point = 0; point < points; point += isWhole ? 1 : 7) {
        await labelled(`point ${point} of ${points}`, () => run(world, { who, crashes: [point] }))
      }
      context.diagnostic(`${points} points`)
    })

    it(`of ${who} between any two slices of its work changes nothing either`, async (context) => {
      const points = await run(world, { who, crashes: [], inSlices: true })
      const steps = await run(world, { who, crashes: [] })
      assert.ok(points > steps + 5, `${points} points, and ${steps} without slices`)
      for (let point = 0; point < points; point += isWhole ? 1 : 11) {
        await labelled(`point ${point} of ${points}`, () => run(world, { who, crashes: [point], inSlices: true }))
      }
      context.diagnostic(`${points} points`)
    })

    it(`of ${who} while the last one is being recovered from changes nothing either`, async () => {
      const points = await run(world, { who, crashes: [] })
      for (let first = 0; first < points; first += STEP) {
        for (const second of [0, 1, 3, 8]) {
          await labelled(`points ${first} and ${second}`, () => run(world, { who, crashes: [first, second] }))
        }
      }
    })
  }
})

/** Between the points at which the first of two crashes comes; odd, so that it comes before and after things happen. */
const STEP = longSeeds === undefined ? 17 : 3

interface Crashes {
  /** All of its work is done in slices, and between two of them is a point too. */
  readonly inSlices?: boolean
  readonly who: "alice" | "bob"
  /** The point at which each opening of the profile ends. */
  readonly crashes: readonly number[]
}

let runs = 0

/** Returns how many points the one who may crash has passed. */
async function run(world: World, { who, crashes, inSlices = false }: Crashes): Promise<number> {
  runs++
  const powers = (person: string) => (person === who ? crashes : [])
  const alice = new Person(world, { name: `alice${runs}`, crashes: powers("alice"), inSlices })
  const bob = new Person(world, { name: `bob${runs}`, crashes: powers("bob"), inSlices })
  await bob.play(async (client) => void client)
  await alice.play(async (client) => {
    await client.sync()
    const team = only(client) ?? (await client.createConversation({ title: "team", members: [bob.name] }))
    if (!(await said(team)).includes("hello")) await team.send("hello")
  })
  await bob.play((client) => client.sync())
  await alice.play(async (client) => {
    await client.sync()
    const team = only(client)!
    if (team.members.includes(bob.name)) await team.remove(bob.name)
    if (!(await said(team)).includes("he is gone")) await team.send("he is gone")
  })
  await bob.play((client) => client.sync())

  await alice.play(async (client) => {
    await client.sync()
    assert.deepEqual(await said(only(client)!), ["hello", "he is gone"])
    assert.deepEqual(only(client)!.members, [alice.name])
    assert.deepEqual(only(client)!.pending, [])
  })
  await bob.play(async (client) => {
    await client.sync()
    assert.deepEqual(await said(only(client)!), ["hello"])
    assert.equal(only(client)!.status, "left")
  })
  alice.requireEvents(["members", "sent", "members", "sent"])
  bob.requireEvents(["joined", "title", "message", "left"])
  assert.deepEqual(world.faults, [])
  return (who === "alice" ? alice : bob).points
}

/** Somebody whose device loses power now and then. */
class Person {
  readonly name: string
  points = 0
  readonly #world: World
  readonly #profile = new MemoryProfile()
  readonly #crashes: number[]
  readonly #inSlices: boolean
  /** What the application has seen, by number: a crash may show an event again, but never another in its place. */
  readonly #events = new Map<number, ClientEvent["type"]>()
  /** Each request to change something, by its idempotency id. */
  readonly #sent = new Map<string, Uint8Array>()

  constructor(world: World, { name, crashes, inSlices }: Omit<Required<Crashes>, "who"> & { readonly name: string }) {
    this.#world = world
    this.name = name
    this.#inSlices = inSlices
    this.#crashes = [...crashes]
  }

  /** Opens the profile and does `act`, again and again until the power lasts. */
  async play(act: (client: Client) => Promise<void>): Promise<void> {
    for (;;) {
      const power = new Power(
        this.#crashes[0] === undefined ? Number.POSITIVE_INFINITY : this.#crashes[0] - this.points,
      )
      let client: Client | undefined
      const acting = (async () => {
        client = await this.#open(power)
        await act(client)
        await consume(client, (event) => this.#see(event))
      })()
      const failed = await Promise.race([acting.then(() => undefined), power.failure]).catch((error: unknown) => error)
      await client?.close().catch(() => {})
      await acting.catch(() => {})
      this.points += power.passed
      if (!power.off && failed !== undefined) throw failed
      if (!power.off) return
      this.#crashes.shift()
      this.points = 0
    }
  }

  requireEvents(types: readonly ClientEvent["type"][]): void {
    const numbers = [...this.#events.keys()].sort((a, b) => a - b)
    assert.deepEqual(
      numbers.map((number) => this.#events.get(number)),
      types,
    )
    assert.deepEqual(
      numbers,
      types.map((_, at) => at + 1),
    )
  }

  #open(power: Power): Promise<Client> {
    const options = {
      ...this.#world.options(this.name, storeOn(power, memoryStore(this.#profile))),
      delivery: transportOn(power, this.#world.transport("delivery"), (body) => this.#requireSame(body)),
      auth: transportOn(power, this.#world.transport("auth")),
      policy: { keyPackages: 1 },
    }
    if (!this.#inSlices) return Client.open(options)
    const slicing = { membersMin: 1, begin: () => () => true, turn: async () => power.point() }
    return openDevice(options, { slicing })
  }

  #see(event: ClientEvent): void {
    assert.equal(this.#events.get(event.number) ?? event.type, event.type)
    this.#events.set(event.number, event.type)
  }

  /** The same idempotency id never goes with other bytes. */
  #requireSame(body: Uint8Array): void {
    const request = deliveryRequests.decode(body)
    if (request.type !== "append" && request.type !== "createGroup") return
    const id = request.idempotencyId.join()
    assert.deepEqual(body, this.#sent.get(id) ?? body)
    this.#sent.set(id, body)
  }
}

const only = (client: Client): Conversation | undefined => [...client.conversations.values()][0]
const said = async (conversation: Conversation) => (await conversation.history()).map(({ text }) => text)

async function labelled<T>(label: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new Error(label, { cause: error })
  }
}
