import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encode } from "@conclave/codec"
import { DeliveryResponse, deliveryRequests } from "@conclave/contracts/delivery"
import { type Transport, TransportError } from "@conclave/transport"
import { fromHex } from "../src/bytes.js"
import { ConversationHandle } from "../src/device/handle.js"
import type { Client } from "../src/index.js"
import { counting, later, until } from "./support/counting.js"
import { next, taken, World } from "./support/world.js"

const unsigned = { incarnation: 1n, signature: new Uint8Array() } as const

describe("the stream", () => {
  const people = async (world: World, conversations: number): Promise<readonly [Client, Client]> => {
    const alice = await world.open("alice", { policy: { keyPackages: 20 } })
    const bob = await world.open("bob", { policy: { keyPackages: 20 } })
    for (let n = 0; n < conversations; n++) await alice.createConversation({ title: `${n}`, members: ["bob"] })
    await bob.sync()
    await bob.close()
    return [alice, bob]
  }

  it("follows any number of conversations, in as many subscriptions as the service's limit makes necessary", async () => {
    await using world = new World({ inMemory: true, limits: { cursorsPerSubscriptionMax: 3 } })
    const [alice] = await people(world, 8)
    const counted = counting(world.transport("delivery"), 11)
    const bob = await world.open("bob", { live: true, delivery: counted.transport })
    await until(() => bob.online, "online")
    assert.equal(counted.times(), 4, "one to learn the limit, and three")
    for (const conversation of alice.conversations.values()) await conversation.send(`to ${conversation.title}`)
    const texts = new Set<string>()
    while (texts.size < 8) texts.add((await next(bob, "message")).text!)
    await taken(bob)
    // A further one is followed as well, and renews one subscription.
    const before = counted.times()
    let offline = 0
    bob.observe(() => {
      if (!bob.online) offline++
    })
    const more = await alice.createConversation({ title: "8", members: ["bob"] })
    await next(bob, "joined")
    await more.send("and to this one")
    assert.equal((await next(bob, "message")).text, "and to this one")
    assert.ok(counted.times() <= before + 2)
    assert.deepEqual([bob.online, offline], [true, 0])
  })

  it("is open only when all of it is", async () => {
    await using world = new World({ inMemory: true, limits: { cursorsPerSubscriptionMax: 3 } })
    await people(world, 5)
    // One to learn the limit, one with the inbox and three conversations; the other two are refused.
    const refusal = { type: "forbidden", reason: "not these" } as const
    const counted = counting(world.transport("delivery"), 11, refusal, 3)
    const bob = await world.open("bob", { live: true, delivery: counted.transport })
    await next(bob, "unavailable")
    await later(300)
    assert.equal(bob.online, false)
    assert.match(bob.offlineReason!, /not these/)
    counted.allow()
    await until(() => bob.online, "online")
  })

  it("brings what it says of one log to that conversation, and nothing of a log that is not followed", async () => {
    await using world = new World({ inMemory: true })
    const [alice] = await people(world, 1)
    const [groupId, strange] = [fromHex([...alice.conversations.keys()][0]!), new Uint8Array(32)]
    let say: (answer: DeliveryResponse) => void = () => {}
    let [reads, subscriptions] = [0, 0]
    const speaking = (transport: Transport): Transport => ({
      ...transport,
      request(body, options) {
        if (deliveryRequests.decode(body).type === "read") reads++
        return transport.request(body, options)
      },
      async *subscribe(body, options) {
        subscriptions++
        const said = new Promise<DeliveryResponse>((resolve) => (say = resolve))
        yield encode(DeliveryResponse, { type: "inboxEntries", entries: [], head: 0n })
        yield encode(DeliveryResponse, await said)
        const next = new Promise<DeliveryResponse>((resolve) => (say = resolve))
        yield encode(DeliveryResponse, await next)
        yield* transport.subscribe(body, options)
      },
    })
    const open = () => world.open("bob", { live: true, delivery: speaking(world.transport("delivery")) })
    const bob = await open()
    await until(() => bob.online && reads > 0, "online")
    await later(200)
    const before = reads
    say({ type: "notFound", groupId })
    await until(() => reads === before + 1, "a page after one answer")
    say({ type: "belowRetention", groupId, oldestSeq: 1n })
    await until(() => reads === before + 2, "a page after another")
    assert.deepEqual([bob.online, subscriptions], [true, 1])
    await bob.close()
    const again = await open()
    await until(() => again.online, "online again")
    await later(200)
    const known = reads
    say({ type: "entries", groupId: strange, entries: [], headSeq: 9n, ...unsigned })
    await later(100)
    say({ type: "notFound", groupId: strange })
    await later(100)
    assert.deepEqual([again.online, subscriptions, reads], [true, 2, known])
  })

  /** Bob's service: what it says on its stream is the test's, and it answers no question to read while it is silent. */
  async function spoken(world: World) {
    const [alice] = await people(world, 1)
    const groupId = fromHex([...alice.conversations.keys()][0]!)
    const service = { reads: 0, silent: false, say: (_: DeliveryResponse) => {} }
    const transport = world.transport("delivery")
    const delivery: Transport = {
      ...transport,
      request(body, options) {
        if (deliveryRequests.decode(body).type === "read") {
          service.reads++
          if (service.silent) throw new TransportError("the line is dead", { retryable: true })
        }
        return transport.request(body, options)
      },
      async *subscribe(_, { signal } = {}) {
        yield encode(DeliveryResponse, { type: "inboxEntries", entries: [], head: 1n })
        while (signal?.aborted !== true) {
          const said = new Promise<DeliveryResponse | undefined>((resolve) => {
            service.say = resolve
            signal?.addEventListener("abort", () => resolve(undefined))
          })
          const answer = await said
          if (answer !== undefined) yield encode(DeliveryResponse, answer)
        }
      },
    }
    const bob = await world.open("bob", { live: true, delivery })
    await until(() => bob.online && service.reads > 0, "online")
    await later(200)
    const [conversation] = bob.conversations.values()
    assert.ok(conversation instanceof ConversationHandle)
    const { position } = conversation.driver.state
    return { service, groupId, position }
  }

  it("that begins with a head before this device's place has the log looked at", async () => {
    await using world = new World({ inMemory: true })
    const { service, groupId, position } = await spoken(world)
    const before = service.reads
    service.say({ type: "entries", groupId, entries: [], headSeq: position.cursor, ...unsigned })
    await later(100)
    assert.equal(service.reads, before)
    service.say({ type: "entries", groupId, entries: [], headSeq: position.cursor - 1n, ...unsigned })
    await until(() => service.reads === before + 1, "a page")
  })

  it("fills no memory while nobody takes what it brings", async () => {
    await using world = new World({ inMemory: true })
    const { service, groupId, position } = await spoken(world)
    service.silent = true
    const [body, chainHash] = [new Uint8Array(1024 * 1024), new Uint8Array(32)]
    let most = 0
    for (let seq = 50n; seq < 62n; seq++) {
      const entry = { seq, kind: "application", epoch: 1n, body, begins: undefined, chainHash, at: 0n } as const
      service.say({ type: "entries", groupId, entries: [entry], headSeq: seq, ...unsigned })
      await later(20)
      most = Math.max(most, position.waiting)
    }
    assert.ok(most > 1 && most <= 4, `${most} MiB`)
  })

  it("keeps a limited number of entries, however small, while nobody takes them", async () => {
    await using world = new World({ inMemory: true })
    const { service, groupId, position } = await spoken(world)
    service.silent = true
    const [body, chainHash] = [new Uint8Array(1), new Uint8Array(32)]
    let most = 0
    for (let from = 50n; from < 2_550n; from += 500n) {
      const entries = Array.from({ length: 500 }, (_, n) => {
        const entry = { kind: "application", epoch: 1n, body, begins: undefined, chainHash, at: 0n } as const
        return { ...entry, seq: from + BigInt(n) }
      })
      service.say({ type: "entries", groupId, entries, headSeq: from + 499n, ...unsigned })
      await later(20)
      most = Math.max(most, position.waiting)
    }
    assert.equal(most, 1_000)
  })

  it("that breaks says so", async () => {
    await using world = new World({ inMemory: true })
    const transport = world.transport("delivery")
    const delivery: Transport = {
      ...transport,
      // biome-ignore lint/correctness/useYield: it breaks before it says anything
      async *subscribe(): AsyncGenerator<Uint8Array> {
        throw new TransportError("the line is dead", { retryable: true })
      },
    }
    const bob = await world.open("bob", { live: true, delivery })
    await until(() => bob.offlineReason === "the stream broke", "the reason")
    assert.equal(bob.online, false)
  })

  for (const [how, milliseconds] of [["a while after it began", 600] as const, ["as soon as it begins", 0] as const]) {
    it(`that is handed over ${how} is taken up again ${milliseconds > 0 ? "at once" : "more and more slowly"}`, async () => {
      await using world = new World({ inMemory: true })
      const delivery: Transport = {
        ...world.transport("delivery"),
        async *subscribe() {
          yield encode(DeliveryResponse, { type: "inboxEntries", entries: [], head: 0n })
          if (milliseconds > 0) await later(milliseconds)
          throw new TransportError("the socket is gone: handed over", { retryable: true, isHandedOver: true })
        },
      }
      const pauses: number[] = []
      const write = (fields: Record<string, unknown>) => {
        if (typeof fields.pause === "number" && "cursors" in fields) pauses.push(fields.pause)
      }
      const logger = { debug: write, info: write, warn: write, error: write }
      await world.open("bob", { live: true, delivery, logger })
      await until(() => pauses.length >= 3, "three ends")
      assert.deepEqual(
        pauses.slice(0, 3).map((pause) => pause > 0),
        milliseconds > 0 ? [false, false, false] : [false, true, true],
      )
    })
  }

  it("follows the conversations that there are after several have come and gone at once", async () => {
    await using world = new World({ inMemory: true })
    const alice = await world.open("alice", { live: true, policy: { keyPackages: 20 } })
    const bob = await world.open("bob")
    const old = await alice.createConversation({ title: "old" })
    await until(() => alice.online, "online")
    // Long enough for the old one to have been followed for a whole renewal.
    await later(300)
    await alice.createConversation({ title: "kept" })
    // Within one renewal, as many as before.
    const [added] = await Promise.all([alice.createConversation({ title: "new" }), old.leave()])
    await later(300)
    await added.invite("bob")
    await bob.sync()
    await [...bob.conversations.values()][0]!.send("hello, new one")
    assert.equal((await next(alice, "message")).text, "hello, new one")
  })

  it("that is refused is not open, and is tried less and less often", async () => {
    await using world = new World({ inMemory: true })
    await people(world, 1)
    const counted = counting(world.transport("delivery"), 11, { type: "forbidden", reason: "not you" })
    let changes = 0
    const bob = await world.open("bob", { live: true, delivery: counted.transport })
    let online = bob.online
    bob.observe(() => {
      if (bob.online !== online) changes++
      online = bob.online
    })
    const event = await next(bob, "unavailable")
    assert.match(event.reason, /not you/)
    await later(1_500)
    assert.deepEqual([bob.online, changes], [false, 0])
    assert.match(bob.offlineReason!, /not you/)
    assert.ok(counted.times() <= 5, `${counted.times()} times`)
    assert.deepEqual(await taken(bob), [], "told once")
    counted.allow()
    await until(() => bob.online, "online again")
    assert.equal(bob.offlineReason, undefined)
  })
})
