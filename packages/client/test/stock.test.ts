import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@conclave/codec"
import { DeliveryResponse } from "@conclave/contracts/delivery"
import { type RequestOptions, type Transport, TransportError } from "@conclave/transport"
import { recordKeys, StoredKeyPackage } from "../src/records/records.js"
import { MemoryProfile, memoryStore } from "../src/store/memory.js"
import { SealedStore } from "../src/store/sealed.js"
import { tampered } from "./support/tampered.js"
import { provider, settle, World } from "./support/world.js"

const DAY = 86_400_000
const sealingKey = new Uint8Array(32).fill(7)

/** What a profile keeps, read while its client has it. */
async function stockOf(profile: MemoryProfile): Promise<readonly StoredKeyPackage[]> {
  const copy = new MemoryProfile()
  for (const [key, value] of profile.records) copy.records.set(key, value)
  const store = new SealedStore(memoryStore(copy), {
    provider,
    sealingKey,
    random: (length) => provider.random(length),
  })
  return (await store.list(recordKeys.keyPackages)).map(([, record]) => decode(StoredKeyPackage, record))
}

const lastResorts = async (profile: MemoryProfile) => (await stockOf(profile)).filter(({ lastResort }) => lastResort)
const inUse = async (profile: MemoryProfile) => (await lastResorts(profile)).filter((it) => it.keptUntil === undefined)

describe("the last resort", () => {
  it("is replaced as soon as it was used, and opens Welcomes under way for some days", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    // Nothing else is there to be claimed.
    const policy = { keyPackages: 0 }
    const bob = await world.open("bob", { policy, store: memoryStore(profile) })
    const [before] = await inUse(profile)
    const gate = gated(() => world.transport("delivery"))
    const [alice, carol] = [await world.open("alice"), await world.open("carol", { delivery: gate.connect() })]
    const late = await carol.createConversation({ title: "late" })
    gate.close()
    const invited = late.invite("bob")
    invited.catch(() => {})
    await assert.rejects(carol.sync(), { code: "UNAVAILABLE" })
    await alice.createConversation({ title: "soon", members: ["bob"] })
    await bob.sync()
    assert.equal(bob.conversations.size, 1)
    const [after, ...others] = await inUse(profile)
    assert.ok(after?.published && others.length === 0)
    assert.notDeepEqual(after.bundle, before!.bundle)
    assert.equal((await lastResorts(profile)).length, 2)

    world.now += 6 * DAY
    await bob.sync()
    gate.open()
    await settle(carol, bob)
    await invited
    assert.deepEqual([...bob.conversations.values()].map(({ members }) => members.join()).sort(), [
      "alice,bob",
      "bob,carol",
    ])
    world.now += 2 * DAY
    await bob.sync()
    assert.deepEqual(await lastResorts(profile), await inUse(profile), "the old private keys are gone")
    await alice.createConversation({ title: "again", members: ["bob"] })
    await bob.sync()
    assert.equal(bob.conversations.size, 3)
  })

  it("is not lost where the power fails before the new one is published", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const gate = gated(() => world.transport("delivery"))
    const open = () =>
      world.open("bob", { policy: { keyPackages: 0 }, store: memoryStore(profile), delivery: gate.connect() })
    let bob = await open()
    const alice = await world.open("alice")
    await alice.createConversation({ members: ["bob"] })
    gate.close(KIND_PUBLISH)
    await assert.rejects(bob.sync(), { code: "UNAVAILABLE" })
    await bob.close()
    gate.open()
    bob = await open()
    await bob.sync()
    const [only, ...others] = await inUse(profile)
    assert.ok(only?.published && others.length === 0)
    await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.equal(bob.conversations.size, 2)
  })

  it("is published again where the service has lost it", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const lost = tampered(world.transport("delivery"), async (request, pass) =>
      request.type === "countKeyPackages"
        ? encode(DeliveryResponse, { type: "keyPackageCount", count: 4, lastResort: false })
        : pass(),
    )
    const open = (delivery: Transport) => world.open("bob", { store: memoryStore(profile), delivery })
    await (await open(world.transport("delivery"))).close()
    const [before] = await inUse(profile)
    const bob = await open(lost)
    await bob.sync()
    const [after, ...others] = await inUse(profile)
    assert.deepEqual([after?.published, others], [true, []])
    assert.notDeepEqual(after!.bundle, before!.bundle)
  })

  it("is replaced before it expires, and so are the others", async () => {
    await using world = new World({ inMemory: true })
    const profile = new MemoryProfile()
    const bob = await world.open("bob", { policy: { keyPackages: 4 }, store: memoryStore(profile) })
    world.now += 80 * DAY
    await bob.sync()
    assert.equal((await lastResorts(profile)).length, 2)
    world.now += 11 * DAY
    await bob.sync()
    const stock = await stockOf(profile)
    assert.equal(stock.length, 5)
    assert.ok(stock.every(({ notAfter }) => notAfter > BigInt(world.now / 1000)))
    const alice = await world.open("alice")
    await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.equal(bob.conversations.size, 1)
  })

  it("is replaced by a client that runs for long, without anybody telling it", async () => {
    await using world = new World({ inMemory: true, realClock: true })
    const profile = new MemoryProfile()
    const policy = { keyPackages: 1, keyPackageLifetimeSeconds: 4 }
    await world.open("bob", { policy, store: memoryStore(profile), live: true, now: Date.now })
    const [before] = await inUse(profile)
    const deadline = Date.now() + 8_000
    for (let now = before; now?.notAfter === before!.notAfter; [now] = await inUse(profile)) {
      assert.ok(Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })
})

describe("key packages that were made while the clock was a year ahead", () => {
  const policy = { keyPackages: 4 }
  const YEAR = 365 * DAY

  /** Bob, whose clock is wrong by what `wrong` says, and what he publishes. */
  async function bobIn(world: World) {
    const clock = { wrong: 0 }
    const profile = new MemoryProfile()
    const published: boolean[] = []
    const watched = () =>
      tampered(world.transport("delivery"), async (request, pass) => {
        if (request.type === "publishKeyPackages") published.push(request.replaces)
        return pass()
      })
    const open = (live = false) =>
      world.open("bob", {
        ...{ policy, live, store: memoryStore(profile), delivery: watched() },
        now: () => world.now + clock.wrong,
      })
    return { clock, profile, published, open, bob: await open() }
  }

  async function assertCurrent(profile: MemoryProfile, now: number): Promise<void> {
    const stock = (await stockOf(profile)).filter(({ keptUntil }) => keptUntil === undefined)
    assert.equal(stock.length, 5)
    for (const { published, notAfter } of stock) {
      assert.ok(published)
      assert.ok(notAfter > BigInt(now / 1000) && notAfter < BigInt((now + 91 * DAY) / 1000))
    }
  }

  it("are replaced when it is right again", async () => {
    await using world = new World({ inMemory: true })
    const { clock, profile, published, bob } = await bobIn(world)
    clock.wrong = YEAR
    await assert.rejects(bob.sync(), { code: "REFUSED", message: /its lifetime has not begun/ })
    clock.wrong = 0
    await bob.sync()
    await assertCurrent(profile, world.now)
    assert.equal(published.at(-1), true, "what the service holds has no private keys any more")
    const alice = await world.open("alice")
    await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.equal(bob.conversations.size, 1)
    const { length } = published
    world.now += 2 * DAY
    await bob.sync()
    assert.equal(published.length, length, "once")
  })

  it("are replaced when the device starts, where nobody asks it to", async () => {
    await using world = new World({ inMemory: true })
    const { clock, profile, bob, open } = await bobIn(world)
    clock.wrong = YEAR
    await assert.rejects(bob.sync(), { code: "REFUSED" })
    await bob.close()
    clock.wrong = 0
    await open(true)
    const deadline = Date.now() + 8_000
    for (;;) {
      const error = await assertCurrent(profile, world.now).then(
        () => undefined,
        (it: unknown) => it,
      )
      if (error === undefined) break
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })

  it("are replaced at the service as well, where its clock was ahead too", async () => {
    await using world = new World({ inMemory: true })
    world.now += YEAR
    const { profile, published, bob } = await bobIn(world)
    world.now -= YEAR
    await bob.sync()
    await assertCurrent(profile, world.now)
    assert.deepEqual(published, [false, true])
    const alice = await world.open("alice")
    for (let i = 0; i < 6; i++) await alice.createConversation({ members: ["bob"] })
    await bob.sync()
    assert.equal(bob.conversations.size, 6)
  })

  it("are told from good ones, which a clock that is a year behind does not show as such", async () => {
    await using world = new World({ inMemory: true })
    const { clock, profile, published, bob } = await bobIn(world)
    const before = await stockOf(profile)
    clock.wrong = -YEAR
    await bob.sync()
    assert.deepEqual(published, [false])
    assert.deepEqual(await stockOf(profile), before)
    const alice = await world.open("alice")
    await alice.createConversation({ members: ["bob"] })
    clock.wrong = 0
    await bob.sync()
    assert.equal(bob.conversations.size, 1)
  })
})

describe("bytes that an application gives and uses for something else at once", () => {
  const reused = (bytes: Uint8Array) => {
    const buffer = Buffer.from(bytes)
    return { buffer, reuse: () => buffer.fill(0) }
  }

  it("are copied: what is sent, approved, sealed with, and endorsed", async () => {
    await using world = new World({ inMemory: true })
    const key = reused(sealingKey)
    const profile = new MemoryProfile()
    const opening = world.open("alice", { sealingKey: key.buffer, store: memoryStore(profile) })
    key.reuse()
    const [alice, bob] = [await opening, await world.open("bob")]
    const team = await alice.createConversation({ members: ["bob"] })
    const content = reused(Uint8Array.of(1, 2, 3))
    const sent = team.send(content.buffer)
    content.reuse()
    await sent
    await settle(alice, bob)
    const [message] = await [...bob.conversations.values()][0]!.history()
    assert.deepEqual(message?.bytes, Uint8Array.of(1, 2, 3))

    const signatureKey = new Uint8Array(32).fill(9)
    const approved = reused(signatureKey)
    const approving = alice.approveKey("carol", approved.buffer)
    approved.reuse()
    await approving
    assert.deepEqual(
      (await alice.pinnedKeys("carol")).map((it) => new Uint8Array(it)),
      [signatureKey],
    )

    const phone = await world.open("alice", {
      store: memoryStore(),
      async endorse(registration) {
        const given = reused(registration)
        const endorsing = alice.endorseDevice(given.buffer)
        given.reuse()
        registration.fill(0)
        return Buffer.from(await endorsing)
      },
    })
    assert.equal((await phone.pinnedKeys("alice")).length, 2)
    await alice.close()
    await (await world.open("alice", { store: memoryStore(profile) })).close()
  })
})

const KIND_PUBLISH = 1
const KIND_APPEND = 5

/** A line that loses the requests of one kind while it is closed. */
function gated(connect: () => Transport) {
  let lost: number | undefined
  const wrap = (transport: Transport): Transport => ({
    ...transport,
    async request(body: Uint8Array, options?: RequestOptions) {
      const kind = body[0]! & 0x80 ? body[1] : body[0]
      if (kind === lost) throw new TransportError("lost", { retryable: true })
      return transport.request(body, options)
    },
  })
  return {
    connect: () => wrap(connect()),
    close: (kind = KIND_APPEND) => {
      lost = kind
    },
    open: () => {
      lost = undefined
    },
  }
}
